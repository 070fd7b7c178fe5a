"""What preflight found, as HTML."""

from __future__ import annotations

import html

from modules.tools.training.preflight import OK, STOP, WARN, Check, Preflight
from modules.ui.widgets.snippets import badge, excerpt, table_html

_WORDS = {OK: ("fine", "good"), WARN: ("look", "warn"), STOP: ("stop", "bad")}
_MOST_ROWS = 200


def preflight_html(found: Preflight) -> str:
    """A verdict, then every check with what to do; what stops comes first."""
    order = {STOP: 0, WARN: 1, OK: 2}
    checks = sorted(found.checks, key=lambda check: order[check.level])
    if found.stops:
        verdict, kind = f"{len(found.stops)} to mend before this can be trained.", "bad"
    else:
        rows = f"{found.kept_rows} rows to train on, {found.eval_rows} to evaluate with"
        verdict, kind = f"Ready: {rows}.", "good"
    lines = "".join(_check_html(check) for check in checks)
    return (
        f"<div class='studio-job {kind}'><strong>{verdict}</strong></div>"
        f"<ul class='studio-checks'>{lines}</ul>"
    )


def rejected_html(found: Preflight) -> str:
    """The rows that will not be trained on; "" when there are none."""
    if not found.rows:
        return ""
    rows = [
        (row.clip_id, [html.escape(row.clip_id), excerpt(row.text, 60), html.escape(row.reason)])
        for row in found.rows[:_MOST_ROWS]
    ]
    more = len(found.rows) - len(rows)
    told = f"<div class='studio-note'>and {more} more</div>" if more else ""
    head = f"<div class='studio-title'>Rows that are left out ({len(found.rows)})</div>"
    return head + table_html(("Clip", "Text", "Why"), rows) + told


def _check_html(check: Check) -> str:
    word, kind = _WORDS[check.level]
    hint = f"<small>{html.escape(check.hint)}</small>" if check.hint else ""
    return (
        f"<li>{badge(word, kind)}<div><strong>{html.escape(check.name)}</strong> "
        f"{html.escape(check.message)}{hint}</div></li>"
    )
