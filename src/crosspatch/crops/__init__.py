"""The crops room: recipes, packs of crops, their versions, and where training pairs come from."""

from crosspatch.crops.packed import Crops
from crosspatch.crops.packing import pack
from crosspatch.crops.recipes import RECIPES, Recipe, Resize, recipe

__all__ = ["RECIPES", "Crops", "Recipe", "Resize", "pack", "recipe"]
