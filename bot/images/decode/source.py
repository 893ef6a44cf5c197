"""A file to decode: open it by its header, refuse what would cost too much, and name what can't be read."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from functools import cache

from PIL import Image

from bot.domain.errors import PictureRefused
from bot.images.decode import formats, headers
from bot.images.decode.plan import PictureLimits
from bot.images.decode.unusual import jpeg_streams, kinds, tiff_tags

_MAX_SCANS = 40
"""Most scans of a progressive JPEG. Encoders write about ten, and each costs a pass over the whole picture."""


@dataclass(slots=True, eq=False)
class Source:
    """A file that is being decoded. ``is_opened``: a decoder could read its header."""

    data: bytes
    format: formats.Format
    limits: PictureLimits
    is_opened: bool = False

    def open(self) -> Image.Image:
        """Open the picture by its header, without decoding pixels.

        Raises PictureRefused if decoding would cost too much.
        """
        found, limits = self.format, self.limits
        if found is formats.HEIC:
            register_heic()
        # Pillow's own limit is about 89 megapixels. Ours are checked before and after.
        Image.MAX_IMAGE_PIXELS = None
        image = Image.open(io.BytesIO(self.data), formats=(found.decoder,))
        self.is_opened = True
        width, height = image.size
        if width < 1 or height < 1:
            raise PictureRefused(f"The {found.name} is empty. Save it again and send the copy.")
        if found is not formats.JPEG and width * height > limits.max_pixels:
            raise PictureRefused(formats.too_many_pixels(width, height, limits.max_pixels))
        if image.info.get("progressive") and jpeg_streams.count_scans(self.data, _MAX_SCANS) > _MAX_SCANS:
            raise PictureRefused("The JPEG has too many progressive scans. Save it as a standard JPEG and send that.")
        if found is formats.TIFF:
            self.check_tiles(image)
        return image

    def check_tiles(self, image: Image.Image) -> None:
        """Check the size of a TIFF's tiles, which are decoded as a whole and may be declared larger than the picture.

        Raises PictureRefused.
        """
        tags = getattr(image, "tag_v2", {})
        width, height = tags.get(tiff_tags.TILE_WIDTH, 1), tags.get(tiff_tags.TILE_LENGTH, 1)
        if width * height > self.limits.max_pixels:
            raise PictureRefused(formats.too_many_pixels(width, height, self.limits.max_pixels))

    def refusal(self) -> str:
        """Return the sentence for a file that a decoder failed at."""
        jpeg = headers.jpeg_header(self.data) if self.format is formats.JPEG else None
        frame = (jpeg.marker, jpeg.bits) if jpeg else None
        kind = kinds.name_of_kind(self.data, self.format, is_opened=self.is_opened, frame=frame)
        if kind:
            return formats.unreadable_kind(kind)
        return f"The {self.format.name} is damaged or incomplete. Save it again and send the copy."


_registering = threading.Lock()


def register_heic() -> None:
    """Register HEIC with Pillow on the first HEIC file."""
    with _registering:
        _registered_heic()


@cache
def _registered_heic() -> None:
    import pillow_heif  # noqa: PLC0415 - a missing or broken libheif must affect only HEIC files

    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
