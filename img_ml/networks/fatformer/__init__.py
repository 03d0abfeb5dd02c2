"""FatFormer (Liu et al., CVPR 2024): CLIP with adapters that look for traces of forgery.

Classes and attributes are named so that the tensors have the names of the authors' checkpoint. The names and the
arithmetic follow their released code; nothing here was checked against the published file itself.
"""
