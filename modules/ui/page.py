"""The page as an ASGI app; the server adds the guards of `safety`."""

from __future__ import annotations

from typing import Any

import gradio as gr
from fastapi import FastAPI

from modules.tools.services import Services
from modules.ui.live import is_logged_in, live_routes
from modules.ui.safety import served_folders
from modules.ui.studio import build_studio
from modules.ui.theme import STYLESHEETS, StudioTheme

USER = "studio"


def create_page(services: Services, password: str = "") -> FastAPI:
    """The page over the services, asking for `password` if one is given."""
    page = build_studio(services)
    undocumented: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    app = FastAPI(**undocumented)
    app.include_router(live_routes(services, lambda request: is_logged_in(mounted.app, request)))
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        app_kwargs=undocumented,
        auth=(USER, password) if password else None,
        allowed_paths=served_folders(services),
        max_file_size=f"{services.settings.max_upload_mb}mb",
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        footer_links=[],
        theme=StudioTheme(),
        css_paths=list(STYLESHEETS),
    )
    mounted: Any = app.routes[-1]
    # Only then does Gradio check that a file named in a request is one that was uploaded.
    page.has_launched = True
    return app
