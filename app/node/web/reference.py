"""The API's reference as a page: made from the OpenAPI document, nothing from elsewhere."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.node.web.rendering import page
from app.node.web.security import API_HEADER
from app.node.web.site import CurrentSite

REFERENCE: Final = APIRouter(include_in_schema=False)


@REFERENCE.get("/api/v1/openapi.json")
def give_document(request: Request) -> dict[str, Any]:
    """Give the OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return document


@REFERENCE.get("/api")
def show_reference(request: Request, site: CurrentSite) -> Response:
    """Every route with its parameters and answers."""
    document: dict[str, Any] = request.app.openapi()
    routes = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return page(request, site, "api.html", {"routes": routes, "header": API_HEADER})
