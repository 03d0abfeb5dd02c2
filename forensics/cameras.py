"""Camera makers: how they write their own name and their models' in EXIF, and who always leaves a maker note."""

import re
from dataclasses import dataclass
from typing import Literal

Fit = Literal["known", "unfamiliar model", "unknown maker", "contradiction"]


@dataclass(frozen=True, slots=True)
class Maker:
    """One maker: patterns of its name and its models as whole texts, any case.

    `notes` is a pattern of the models that always write a maker note (EXIF tag MakerNote); empty for none.
    """

    name: str
    make: re.Pattern[str]
    model: re.Pattern[str]
    notes: re.Pattern[str] | None = None


def _maker(name: str, make: str, model: str, notes: str = "") -> Maker:
    compiled = re.compile(notes, re.I) if notes else None
    return Maker(name, re.compile(make, re.I), re.compile(model, re.I), compiled)


OTHER = "another maker"
# Patterns from the names in the makers' own files (EXIF collections of exif-samples and metadata-extractor) and in
# the camera lists of dcraw's successors; phones by the prefix of their model numbers.
MAKERS = (
    _maker(
        "Apple",
        r"apple( inc\.?)?",
        r"(iphone|ipad|ipod|quicktake|apple).*",
        r"(iphone (5[cs]|[6-9]|1\d|x|se)|ipad pro).*",
    ),
    _maker("Google", r"google", r"(pixel|nexus|glass).*"),
    _maker(
        "Samsung",
        r"samsung( techwin| electronics| electro-mechanics)?.*",
        r"<?(samsung|galaxy|sm-|gt-|sgh|sch-|sph-|shv-|sc-\d|nx|ek-|ex\d|wb|es\d|st\d|pl\d|tl\d|dv|kenox|digimax|vluu"
        r"|s\d|l\d|nv|scg?\d).*",
    ),
    _maker("Huawei", r"huawei|honor", r"([a-z]{2,4}-[a-z]{0,2}\d\w*|huawei|honor|mate|p\d\d|nova|nexus).*"),
    _maker("Xiaomi", r"xiaomi|redmi|poco", r"(mi|redmi|poco|xiaomi|hm|\d{4,}|m\d{4}|2\d{3}).*"),
    _maker("OnePlus", r"oneplus", r"(oneplus|one|[a-z]{2,3}\d{3,4}|a\d{4}|cph|le\d).*"),
    _maker("Oppo", r"oppo|realme", r"(oppo|cph|r\d|a\d|find|p[a-z]{2}[mt]?\d|rmx|realme|x\d{3}).*"),
    _maker("Vivo", r"vivo", r"(vivo|v\d|x\d|y\d|i\d).*"),
    _maker("Motorola", r"motorola.*", r"(moto|xt\d|droid|nexus|mb\d|razr|edge).*"),
    _maker("Nokia", r"nokia|hmd global|microsoft", r"(nokia|lumia|surface|rm-|ta-|[a-z]?\d{3,}|n\d|e\d|x\d|c\d|g\d).*"),
    _maker("LG", r"lge?( electronics)?.*", r"(lg|lm-|nexus|vs\d|l-\d|g\d|optimus|ls\d|h\d{3}).*"),
    _maker("HTC", r"htc?", r"(htc|nexus|adr|pg|one|desire|u\d|pixel|t-mobile).*"),
    _maker("Nothing", r"nothing", r"(a\d|nothing|phone).*"),
    _maker("Asus", r"asus.*", r"(asus|zenfone|rog|nexus|t\d|z\d|i\d).*"),
    _maker("ZTE", r"zte|nubia", r"(zte|nx|blade|axon|z\d|n\d).*"),
    _maker("BlackBerry", r"blackberry|research in motion|rim", r"(blackberry|bb|st[a-z]\d|priv|\d{4}).*"),
    _maker("Fairphone", r"fairphone", r"(fp\d|fairphone).*"),
    _maker("Sharp", r"sharp", r"(sh|aquos|a\d|\d{3}sh|vl|viewcam).*"),
    _maker("Jolla", r"jolla", r"(jolla|xperia).*"),
    _maker("Kyocera", r"kyocera|yashica|contax", r"(fc-|kc-|finecam|contax|tvs|kyocera|ky|n digital|u4r|sl\d|tvs).*"),
    _maker(
        "Canon",
        r"canon( inc\.?)?",
        r"(canon[ -]|canoscan|eos|powershot|ixus|ixy|mg\d|mp\d|legria|vixia|mv\d|zr\d|optura|dm-|cr\d).*",
        r"canon (eos|powershot|digital ixus|ixus|ixy).*",
    ),
    _maker(
        "Nikon",
        r"nikon( corporation| corp\.?)?",
        r"(nikon[ -]|coolpix|d\d|e\d{3,4}|z ?\d|ls-|keymission|super coolscan).*",
        r"(nikon (d|z)|coolpix).*",
    ),
    _maker(
        "Sony",
        r"sony( mobile.*| interactive.*| ?ericsson)?",
        r"(dsc|ilce|ilca|nex|slt|zv|ilme|dslr|mavica|digitalmavica|cybershot|cyber-shot|hdr|dcr|xq|xperia|[cdefghs]\d{4}"
        r"|so-|so[vg]\d|sgp|fdr|mvc|pxw|lt\d|st\d|u\d{1,2}i|[ckw]\d{3}|rx|wx|fx\d|mk\d|a\d{3}so|sony|mavica).*",
        r"(ilce|ilca|nex|slt|dsc-(rx|hx|wx)).*",
    ),
    _maker(
        "Fujifilm",
        r"fuji ?film( corporation)?|fuji photo film co\.?,? ?ltd\.?",
        r"(fine ?pix|x-?[a-z]?\d|x-?(pro|half)|x\d|xf\d|xq|gfx|mx-|ds-|dx-|digital camera|xp|sp-|instax|real 3d|s\d|f\d"
        r"|z\d).*",
        r"(x-|gfx|x100).*",
    ),
    _maker(
        "Olympus",
        r"olympus.*|om digital solutions|om system",
        r"(e-|e\d|em-|c-?\d|c\d|x-|x\d|u-?\d|fe|tg|sp|sz|sh-|sh\d|xz|vg|vr|vh|vb|d-?\d|d\d|om-|om system|pen|stylus"
        r"|i[mr]\d|mju|µ|camedia|brio|az|d-fine|is-|t\d).*",
        r"(e-|tg-).*",
    ),
    _maker(
        "Panasonic",
        r"panasonic( corporation)?|matsushita.*",
        r"(dmc|dc-|nv-|hc-|hdc|ag-|pv-|sdr|hx-|dm|lumix|kx|eluga|sv-|dc).*",
        r"(dmc|dc)-.*",
    ),
    _maker(
        "Pentax",
        r"pentax.*|asahi optical.*|ricoh imaging.*",
        r"(pentax|k-?\d|k-?[a-z]|optio|\*ist|ricoh|gr|theta|x-?5|wg|mx-1|q).*",
        r"pentax k.*",
    ),
    _maker(
        "Ricoh", r"ricoh.*|caplio", r"(ricoh|gr|caplio|rdc|gxr|gx|cx\d|px|r\d|rr\d|theta|g\d|hz|wg|dc-|i700|g\d00).*"
    ),
    _maker(
        "Leica",
        r"leica.*",
        r"(leica|m\d|m monochrom|m \(typ|q\d?|sl\d?|s\d?|s \(typ|t \(typ|cl|tl\d?|d-lux|v-lux|c-lux|x\d|digilux|r8).*",
    ),
    _maker("Hasselblad", r"hasselblad", r"(hasselblad|h\d|x\d|x\dd|l\dd|cfv|l1d|l2d|stellar|lunar|hv).*"),
    _maker("Sigma", r"sigma( corporation)?", r"(sigma|fp|dp\d|sd\d|bf).*"),
    _maker("Casio", r"casio.*", r"(casio|ex-|qv-|gv-|xv-|g'z|tr\d).*"),
    _maker("Minolta", r"(konica )?minolta.*|konica.*", r"(dimage|dynax|maxxum|alpha|rd|konica|kd-|q-m|[eg]\d|revio).*"),
    _maker(
        "Kodak",
        r"(eastman )?kodak.*|jk imaging.*",
        r"(kodak|dc|dx|cx|ls|easyshare|pixpro|[mpvz]\d|ekn|probac).*",
    ),
    _maker("Epson", r"(seiko )?epson.*", r"(photopc|r-d1|rd1|perfection|expression|gt-|l-|epson|stylus|wf|et-).*"),
    _maker("HP", r"hewlett[- ]packard.*|hp", r"(hp|photosmart|scanjet|psc|officejet|laserjet|deskjet).*"),
    _maker("Sanyo", r"sanyo.*", r"(sr|sx|vpc|s\d|j\d|e\d|xacti|x\d).*"),
    _maker("GoPro", r"gopro", r"(hero|gopro|max|fusion|h\d).*"),
    _maker("DJI", r"dji", r"(fc|dji|l[12]d|zenmuse|hg|test|osmo|pocket|ac\d|ot\d|mavic|mini|air|m\d[te]|xt|x\d|p1).*"),
    # Makers of few cameras, of scanners and of industrial ones: any model.
    _maker(
        OTHER,
        r"(arashi vision|insta360|parrot|autel|flir|reconyx|benq|general imaging|vivitar|polaroid|medion|traveler|trust"
        r"|rollei|aiptek|agfa|jvc|victor|toshiba|hitachi|jenoptik|premier|concord|vtech|bushnel|wwl|noritsu|plustek"
        r"|imacon|microtek|umax|brother|xerox|fuji xerox|pentacon|lenovo|tcl|alcatel|wiko|meizu|tecno|infinix|itel"
        r"|gionee|coolpad|blu|cat|doogee|raspberry ?pi|arducam|luxonis|basler|teledyne|zeiss|carl zeiss|lomography"
        r"|yi|xiaoyi|akaso|sjcam|garmin|skydio|agfaphoto|praktica|kddi-kc|fcnt|fujitsu|razer|essential products|ulefone"
        r"|blackview|oukitel|umidigi|lava|micromax|amazon|bushnell|hasselblad/imacon|mamiya-op co|bell & howell"
        r"|holga|red|blackmagic|arri|z cam|light|lytro|pixii|panono|nctech|phase one|leaf|mamiya|palm|ge)([ .,].*)?",
        r".*",
    ),
)
# Names that belong to one maker alone, wherever they stand.
_OWN_NAMES = {
    "Apple": r"\bip(hone|ad)\b",
    "Canon": r"\b(canon|eos|powershot|ixus)\b",
    "Nikon": r"\b(nikon|coolpix)\b",
    "Sony": r"\b(sony|ilce|ilca|xperia|cyber-?shot|dsc)\b",
    "Fujifilm": r"\b(fujifilm|finepix\w*|gfx)\b",
    "Olympus": r"\bolympus\b",
    "Panasonic": r"\b(panasonic|lumix|dmc)\b",
    "Pentax": r"\b(pentax|optio)\b",
    "Leica": r"\bleica\b",
    "Samsung": r"\b(samsung|galaxy|digimax|sm-[a-z]\d{3}\w{0,3})\b",
    "Google": r"\bpixel \d",
    "Kodak": r"\b(kodak|easyshare)\b",
    "Casio": r"\bcasio\b",
    "GoPro": r"\bgopro\b",
}
_OWN = {name: re.compile(pattern, re.I) for name, pattern in _OWN_NAMES.items()}
# Makers whose models bear another's name, by licence or as the carrier of its operating system.
_SHARED = {("HTC", "Google"), ("LG", "Google"), ("Panasonic", "Leica"), ("Jolla", "Sony"), ("Ricoh", "Pentax")}


def maker_of(make: str) -> Maker | None:
    """The maker that writes its name so; None for none that is known."""
    return next((maker for maker in MAKERS if maker.make.fullmatch(make)), None)


def fit_of(make: str, model: str) -> Fit:
    """Whether make and model belong together; an absent model belongs to any known maker."""
    maker = maker_of(make)
    named = {name for name, pattern in _OWN.items() if pattern.search(model)}
    if maker is None:
        return "contradiction" if named else "unknown maker"
    foreign = {name for name in named if name != maker.name and (maker.name, name) not in _SHARED}
    if foreign and maker.name not in named and maker.name != OTHER:
        return "contradiction"
    return "known" if not model or maker.model.fullmatch(model) else "unfamiliar model"


def always_notes(make: str, model: str) -> bool:
    """Whether this camera always writes a maker note."""
    maker = maker_of(make)
    return maker is not None and maker.notes is not None and maker.notes.fullmatch(model) is not None
