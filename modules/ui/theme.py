"""The theme of the page: stone greys, light and dark, with teal as the accent.

Fonts are those that Gradio bundles, so that the page asks no other host for anything.
"""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils import colors, fonts, sizes

from modules.ui.events import STATIC

# What all tabs share, then what single tabs need besides.
STYLESHEETS = tuple(
    STATIC / "css" / f"{name}.css"
    for name in (
        "studio",
        "options",
        "navigation",
        "voices",
        "dataset",
        "player",
        "training",
        "access",
    )
)
# Of each variable the light and the dark value.
COLOURS = {
    "body_background_fill": ("*neutral_50", "*neutral_950"),
    "body_text_color": ("*neutral_800", "*neutral_200"),
    "body_text_color_subdued": ("*neutral_500", "*neutral_400"),
    "background_fill_primary": ("white", "*neutral_900"),
    "background_fill_secondary": ("*neutral_50", "*neutral_950"),
    "border_color_primary": ("*neutral_200", "*neutral_800"),
    "block_background_fill": ("white", "*neutral_900"),
    "block_border_width": ("1px", "1px"),
    "block_label_background_fill": ("transparent", "transparent"),
    "block_label_border_width": ("0px", "0px"),
    "block_label_text_color": ("*neutral_600", "*neutral_300"),
    "block_title_text_color": ("*neutral_700", "*neutral_200"),
    "block_info_text_color": ("*neutral_500", "*neutral_400"),
    "accordion_text_color": ("*neutral_700", "*neutral_200"),
    "panel_background_fill": ("transparent", "transparent"),
    "link_text_color": ("*primary_700", "*primary_300"),
    "input_background_fill": ("white", "*neutral_950"),
    "input_border_color": ("*neutral_300", "*neutral_700"),
    "input_border_color_focus": ("*primary_600", "*primary_400"),
    "input_shadow_focus": ("0 0 0 3px rgb(20 184 166 / 0.18)", "0 0 0 3px rgb(45 212 191 / 0.18)"),
    "input_placeholder_color": ("*neutral_500", "*neutral_400"),
    "checkbox_background_color_selected": ("*primary_600", "*primary_500"),
    "checkbox_border_color": ("*neutral_500", "*neutral_500"),
    "checkbox_border_color_selected": ("*primary_600", "*primary_500"),
    "checkbox_label_background_fill": ("white", "*neutral_950"),
    "checkbox_label_background_fill_selected": ("*primary_50", "*primary_950"),
    "checkbox_label_border_color_selected": ("*primary_600", "*primary_500"),
    "checkbox_label_text_color_selected": ("*primary_800", "*primary_200"),
    "slider_color": ("*primary_600", "*primary_400"),
    "loader_color": ("*primary_600", "*primary_400"),
    "table_border_color": ("*neutral_200", "*neutral_800"),
    "button_border_width": ("1px", "1px"),
    "button_primary_background_fill": ("*primary_700", "*primary_700"),
    "button_primary_background_fill_hover": ("*primary_800", "*primary_800"),
    "button_primary_border_color": ("*primary_700", "*primary_700"),
    "button_primary_text_color": ("white", "white"),
    "button_secondary_background_fill": ("white", "*neutral_900"),
    "button_secondary_background_fill_hover": ("*neutral_100", "*neutral_800"),
    "button_secondary_border_color": ("*neutral_300", "*neutral_700"),
    "button_cancel_background_fill": ("white", "*neutral_900"),
    "button_cancel_background_fill_hover": ("#fef2f2", "#450a0a"),
    "button_cancel_border_color": ("#fca5a5", "#7f1d1d"),
    "button_cancel_text_color": ("#b91c1c", "#fca5a5"),
}
SIZES = {
    # On white; access.css has that of the dark page, for which Gradio has no name.
    "color_accent": "*primary_700",
    "block_shadow": "none",
    "block_label_text_weight": "600",
    "block_title_text_weight": "600",
    "layout_gap": "*spacing_xl",
    "input_border_width": "1px",
    "checkbox_label_border_width": "1px",
    "button_large_text_weight": "600",
    "button_large_text_size": "*text_md",
    "button_medium_text_weight": "500",
    "button_small_text_weight": "500",
}


class StudioTheme(gr.themes.Base):
    """Gradio's base theme with the studio's colours, type and spacing."""

    def __init__(self) -> None:
        super().__init__(
            primary_hue=colors.teal,
            secondary_hue=colors.teal,
            neutral_hue=colors.stone,
            radius_size=sizes.radius_lg,
            text_size=sizes.text_md,
            # The weights of which Gradio has every letter; it carries others for its logo only.
            font=(fonts.LocalFont("IBM Plex Sans", (400, 700)), "system-ui", "sans-serif"),
            font_mono=(
                fonts.LocalFont("IBM Plex Mono", (400, 700)),
                "ui-monospace",
                "monospace",
            ),
        )
        self.name = "studio"
        light = {name: colour for name, (colour, _unused) in COLOURS.items()}
        dark = {f"{name}_dark": colour for name, (_unused, colour) in COLOURS.items()}
        self.set(**light, **dark, **SIZES)
