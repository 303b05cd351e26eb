"""Style files that QGIS finds beside a GeoTIFF, so that a map opens in its colours."""

from pathlib import Path

from crosspatch.files import write_text


def write_style(path: Path, *, mask: bool) -> None:
    """Say how QGIS draws a mask, its foreground orange; or a map of [0, 1], from clear to dark."""
    write_text(path, _MASK_STYLE if mask else _RAMP_STYLE)


_STYLE = """<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis styleCategories="Symbology" version="3.22.0">
  <pipe>
    <rasterrenderer {renderer}>
{inner}
    </rasterrenderer>
    <brightnesscontrast brightness="0" contrast="0" gamma="1"/>
    <huesaturation saturation="0" grayscaleMode="0" colorizeOn="0"/>
    <rasterresampler maxOversampling="2"/>
  </pipe>
  <blendMode>0</blendMode>
</qgis>
"""
_MASK_STYLE = _STYLE.format(
    renderer='type="paletted" band="1" opacity="1" alphaBand="-1"',
    inner="""      <colorPalette>
        <paletteEntry value="0" label="background" color="#000000" alpha="0"/>
        <paletteEntry value="1" label="foreground" color="#e69f00" alpha="200"/>
      </colorPalette>""",
)
_RAMP_STYLE = _STYLE.format(
    renderer='type="singlebandpseudocolor" band="1" opacity="1" alphaBand="-1" '
    'classificationMin="0" classificationMax="1"',
    inner="""      <rastershader>
        <colorrampshader colorRampType="INTERPOLATED" classificationMode="1" clip="0"
                         minimumValue="0" maximumValue="1">
          <item value="0" label="0" color="#ffffff" alpha="0"/>
          <item value="0.5" label="0.5" color="#e69f00" alpha="160"/>
          <item value="1" label="1" color="#7f3b08" alpha="255"/>
        </colorrampshader>
      </rastershader>""",
)
