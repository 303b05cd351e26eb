"""The reports room: figures as SVG, and pages of them that stand alone."""
