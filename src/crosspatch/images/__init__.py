"""Images and masks: nothing outside this room opens one.

Arrays are (C, H, W): channel, row, column. Masks are (H, W) of integers.
"""

from crosspatch.images.image import MAX_PIXELS, SUFFIXES, Georeference, Header, Image, holds_data
from crosspatch.images.reading import find_images, read_header, read_image, read_mask
from crosspatch.images.writing import write_image, write_mask

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "Georeference",
    "Header",
    "Image",
    "find_images",
    "holds_data",
    "read_header",
    "read_image",
    "read_mask",
    "write_image",
    "write_mask",
]
