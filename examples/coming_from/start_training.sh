#!/bin/sh
# SPAI's training as its document starts it; more options are passed on: ./start_training.sh --tag second
# Run it where weights/ and dataset/ lie. A run that was stopped goes on when it is started again.
set -eu
if [ -n "${NEPTUNE_API_TOKEN:-}${NEPTUNE_PROJECT:-}${NEPTUNE_MODE:-}" ]; then
    echo "Neptune is not used: look at the training with tensorboard --logdir output/train" >&2
fi
exec python -m img_ml.spai train \
    --cfg ./configs/spai.yaml \
    --batch-size 4 \
    --accumulation-steps 18 \
    --pretrained ./weights/mfm_pretrain_vit_base.pth \
    --output ./output/train \
    --data-path ./dataset/my_dataset.csv \
    --tag my_training \
    --opt MODEL.FEATURE_EXTRACTION_BATCH 32 \
    --opt TRAIN.EPOCHS 20 \
    "$@"
