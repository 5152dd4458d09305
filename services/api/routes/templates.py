"""Templates: what we say, in which language and by which channel, and how it reads filled in."""

from __future__ import annotations

from fastapi import Response

from services.api.deps import Deps
from services.api.fields import Text
from services.api.limits import Identifier
from services.api.paging import Page, Paging
from services.api.reading import Reader, answer_page
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.policies import Channel, Language, PreviewIn, PreviewOut, TemplateOut, TemplateState
from shared.adapters.postgres.views import policies as view
from shared.adapters.rendering import MessageTemplate, RenderError
from shared.application.refusals import FieldError, Invalid, NotFound
from shared.domain.contact import Purpose
from shared.domain.templates import SAMPLE_VALUES, sms_units

router = noun_router("templates")


@router.get("", response_model=Page[TemplateOut], summary="List templates")
async def list_templates(
    caller: Reader,
    deps: Deps,
    page: Paging,
    key: Text | None = None,
    language: Language | None = None,
    channel: Channel | None = None,
    purpose: Purpose | None = None,
    state: TemplateState | None = None,
) -> Json:
    """Every text in every version, by key, language, channel and version."""
    rows = await view.list_templates(
        deps.pool,
        key=key,
        language=language,
        channel=channel,
        purpose=purpose,
        state=state,
        after=page.after,
        limit=page.fetch,
    )
    return answer_page(page, rows)


@router.get("/{key}", response_model=Page[TemplateOut], summary="One template")
async def get_template(
    key: Identifier,
    caller: Reader,
    deps: Deps,
    page: Paging,
    language: Language | None = None,
    channel: Channel | None = None,
    state: TemplateState | None = None,
) -> Json:
    """The texts of one template, in every language, channel and version."""
    rows = await view.list_templates(
        deps.pool, key=key, language=language, channel=channel, state=state, after=page.after, limit=page.fetch
    )
    if not rows.docs and page.after is None:
        raise NotFound("There is no such template.")
    return answer_page(page, rows)


@router.post("/{key}/preview", response_model=PreviewOut, summary="How a template reads")
async def preview_template(key: Identifier, body: PreviewIn, caller: Reader, deps: Deps) -> Response:
    """The text with sample values filled in, or with the values given. Nothing is sent and nothing is kept."""
    row = await view.load_text(deps.pool, key, body.language, body.channel, body.version)
    if row is None:
        raise NotFound("There is no such text: template, language, channel or version.")
    known = frozenset(row["variables"])
    unknown = sorted(body.variables.keys() - known)
    if unknown:
        errors = [FieldError("/variables", "holds a name that the text does not use", "unknown")]
        raise Invalid("Only variables that the text uses can be given.", errors=errors)
    samples = SAMPLE_VALUES.get(body.language, SAMPLE_VALUES["en"])
    template = MessageTemplate(
        key=f"{key}/{body.channel}",  # compiled texts are kept by this name: one for each channel
        version=row["version"],
        language=body.language,
        body=row["body"],
        variables=known,
        subject=row["subject"],
    )
    try:
        text = deps.renderer.render(template, {**samples, **body.variables})
    except RenderError as error:
        raise Invalid(f"The text can not be made: {error}.", code="not-renderable") from None
    return Json(
        {
            "key": key,
            "version": row["version"],
            "language": body.language,
            "channel": body.channel,
            "subject": text.subject,
            "body": text.body,
            "sms_units": sms_units(text.body) if body.channel == "sms" else None,
        }
    )
