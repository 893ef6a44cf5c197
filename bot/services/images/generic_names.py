"""Names that cameras, phones, browsers and programs give to pictures, whatever these show."""

from __future__ import annotations

import re
import unicodedata

# Each may be followed by a number, a date or a copy's number, and by anything after that.
_WORDS = """
image|images|img|img e|fb img|mvimg|photo|photos|photo on|foto|fotos|picture|pictures|pic|pics|pict|pix|bild
bilder|imagen|imagem|immagine|immagini|afbeelding|billede|kuva|obraz|obrázek|kép|slika|resim|fotoğraf|ảnh
hình ảnh|gambar|imagine|изображение|фото|фотография|рисунок|картинка|зображення|εικόνα|φωτογραφία|תמונה|صورة
تصویر|عکس|चित्र|फोटो|ภาพ|รูปภาพ|图片|图像|照片|圖片|圖像|相片|画像|写真|イメージ|이미지|사진|그림|screenshot
screenshots|screen shot|screen capture|screencapture|screencap|screengrab|screen recording|screenshot from|snip
snipping|capture|captura|bildschirmfoto|bildschirmfoto von|screenshot von|bildschirmaufnahme|capture d'écran
capture d'ecran|copie d'écran|captura de pantalla|captura de tela|captura de ecrã|captura de ecra|pantallazo
schermata|istantanea schermo|schermafbeelding|schermafdruk|skärmavbild|skärmbild|skjermbilde|skærmbillede
skærmklip|näyttökuva|kuvakaappaus|zrzut ekranu|snímek obrazovky|snímka obrazovky|képernyőkép|képernyőfotó
captură de ecran|captura de ecran|snimka zaslona|snimak ekrana|posnetek zaslona|ekraanipilt|ekrānuzņēmums
ekrano kopija|ekran görüntüsü|ekran resmi|ekran alıntısı|снимок экрана|скриншот|знімок екрана|знімок екрану
екранна снимка|снимка на екрана|στιγμιότυπο οθόνης|צילום מסך|תמונת מסך|لقطة شاشة|لقطة الشاشة|نماگرفت|عکس صفحه
स्क्रीनशॉट|ภาพหน้าจอ|สกรีนช็อต|ảnh chụp màn hình|ảnh màn hình|tangkapan layar|cuplikan layar|petikan skrin
スクリーンショット|画面キャプチャ|截屏|截图|屏幕截图|屏幕快照|螢幕截圖|螢幕快照|擷取|스크린샷|화면 캡처|화면캡처
untitled|untitled design|untitled document|unbenannt|sans titre|sin título|sin titulo|sem título|sem titulo
senza titolo|naamloos|namnlös|uden titel|uten navn|nimetön|bez názvu|bez tytułu|névtelen|fără titlu|adsız
başlıksız|без имени|без названия|безымянный|без назви|χωρίς τίτλο|ללא שם|بدون عنوان|无标题|未命名|未标题|無標題
名称未設定|無題|제목 없음|tanpa judul|không có tiêu đề|file|files|datei|fichier|archivo|arquivo|bestand|plik
файл|文件|ファイル|파일|document|dokument|documento|документ|文档|download|downloads|downloaded|unnamed|unknown
noname|no name|default|temp|tmp|output|result|media|content|upload|uploads|attachment|attachments|anhang|anlage
pièce jointe|adjunto|anexo|allegato|bijlage|вложение|附件|添付|첨부|clipboard|clip image|clipboard image|pasted
pasted image|pasted graphic|paste|zwischenablage|presse papiers|portapapeles|image from ios|image from android
image from clipboard|image from the clipboard|image uploaded from ios|ios upload|slack for ios upload
slack for android upload|image uploaded from android|camera|camera roll|fullsizerender|render|whatsapp image
whatsapp photo|whatsapp|signal|telegram|received|snapchat|instagram|messenger creation|inshot|viber image|line
line album|wechat image|mmexport|微信图片|微信圖片|qq图片|kakaotalk|kakaotalk photo|teams image|zoom|discord
scan|scans|scanned|scanned document|scan from|camscanner|adobe scan|genius scan|numérisation|escaneo|digitalizar
scansione|skan|скан|扫描|扫描件|掃描|スキャン|스캔|giphy|tenor|ezgif|ezgif com|hqdefault|maxresdefault|avatar
icon|logo image|thumb|thumbnail|preview|frame|slide|folie|page|artboard|group|rectangle|layer|sample|test|tests
new|neu|nouveau|nuevo|copy|kopie|copie|copia|index|snapshot|edited|blob|webcam|image pasted at|image asset
ohne titel|design ohne titel|new project|neues projekt|snipaste|cleanshot|greenshot|sharex|monosnap|lightshot
smartselect|picsart|photoroom|snapseed|imagepicker|image picker|rn image picker lib temp|temp image|wx camera
telegram cloud photo size|fullsizer|oip|dall·e|chatgpt image|gemini generated image|slack image
"""
_ALL = (unicodedata.normalize("NFKC", word) for line in _WORDS.splitlines() for word in line.split("|") if word)
_ALTERNATIVES = "|".join(sorted(map(re.escape, _ALL), key=len, reverse=True))
_PICTURE_WORDS = "image|photo|picture|bild|foto|imagen|imagem|immagine|afbeelding|obraz|изображение|фото"
_FROM = "from|uploaded from|von|vom|aus|de|du|depuis|desde|do|da|di|van|fra|från|z|с|из|my|mein|meinem|mon|mi"
# What apps that are translated call a picture of a phone, such as “Bild von iOS” and “iOS からの画像”.
_FROM_PHONE = re.compile(
    rf"(?:{_PICTURE_WORDS})(?:\s(?:{_FROM}))+\s(?:ios|android|iphone|ipad)(?:\s?[(\[]?\d.*)?"
    r"|(?:ios|android|iphone|ipad)\s?\S{0,5}\s?(?:画像|写真|이미지|사진|图片|圖片|照片)(?:\s?[(\[]?\d.*)?"
)
_COPY_OF = re.compile(r"(?:copy of|kopie von|copie de|copia de|copia di|cópia de|kopi av|kopia)\s(?=\S)")
_COPY = r"(?:\s*(?:\(\d*\)|\[\d*\]|copy|kopie|copie|copia|kopia|копия|副本|コピー)\s*\d*)*"
_GENERIC = re.compile(rf"(?:{_ALTERNATIVES})(?:\s?[(\[]?\d.*)?{_COPY}", re.DOTALL)

# Counters of cameras, phones and apps: letters and at least three digits.
_COUNTED = re.compile(
    r"(?:dsc|dscf|dscn|dsci|mg|pxl|gopr|gp|gx|gh|gs|dji|sam|cimg|imgp|kimg|pano|burst|wp|win|vid|mov|mvi|hni|hpim|sany|stp|wa"
    r"|p|r|l|g|imag|imgs?|ps|cam|trim|snapshot|capture|line)\s?[0-9]{3,}.*",
    re.DOTALL,
)
# Of one letter, only with seven digits: P1010001 of a camera, but not P123 of a catalogue.
_SHORT_PREFIXED = re.compile(r"[prlg]\s?(?=[0-9])(?![0-9]{7}(?:\D|\Z)).*", re.DOTALL)

# A date with a time, as phones name pictures, or a moment in milliseconds.
_MOMENT = re.compile(r"(?:(?:19|20)[0-9]{2}\s?[01][0-9]\s?[0-3][0-9][\st]*[0-9]{2}.*|1[0-9]{12,})", re.DOTALL)

_VIEW = re.compile(
    r"(?:[0-9]{1,3}|[a-z]|(?:front|back|rear|side|top|bottom|left|right|inside|outside|detail|details|main|cover|overview"
    r"|close up|closeup|hero|large|small|medium|big|full|original|view|angle|vorne|hinten|seite|oben|unten|links|rechts"
    r"|vorderseite|rückseite|vorderansicht|rückansicht|seitenansicht|draufsicht|détail|avant|arrière|dessus|dessous|frente"
    r"|lado|detalle|detalhe|fronte|retro|lato|dettaglio|voorkant|achterkant|zijkant|przód|tył|спереди|сзади|сбоку|вид"
    r"|正面|背面|侧面|側面|顶部|细节|前面|后面|앞면|뒷면|옆면)(?:\s?[0-9]{1,3}|\s[a-z])?)" + _COPY
)
_SEPARATORS = re.compile(r"[\s_.,~–—-]+")


def is_generic(stem: str) -> bool:
    """Return whether a camera, phone, browser or program gave this name, without suffix, to a picture."""
    name = _COPY_OF.sub("", _plain(stem), count=1)
    if not name or _FROM_PHONE.fullmatch(name) or _GENERIC.fullmatch(name) or _MOMENT.fullmatch(name):
        return True
    return bool(_COUNTED.fullmatch(name)) and not _SHORT_PREFIXED.fullmatch(name)


def is_view(stem: str) -> bool:
    """Return whether a name, without suffix, only says which view of a thing a picture shows, or counts it."""
    return bool(_VIEW.fullmatch(_plain(stem)))


def _plain(stem: str) -> str:
    folded = unicodedata.normalize("NFKC", stem).casefold().replace("’", "'")
    return _SEPARATORS.sub(" ", folded).strip()
