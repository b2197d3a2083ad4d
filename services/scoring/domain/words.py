"""Reasons in words: texts in English and Brazilian Portuguese, made from the numbers and nothing else."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from jornada.events import Reason

LANGUAGES = ("en", "pt-BR")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_Values = Mapping[str, Any]
_Text = Callable[[_Values], str]

_STAGES_PT = {
    "visitor": "visitante",
    "lead": "contato",
    "onboarding": "em ativação",
    "active": "ativo",
    "loyal": "fiel",
    "advocate": "promotor",
    "at_risk": "em risco",
    "churned": "perdido",
    "won_back": "reconquistado",
}
STAGES = frozenset(_STAGES_PT)
"""The stages of a journey."""

_BANDS_PT: dict[str, str] = {"green": "verde", "yellow": "amarela", "red": "vermelha", "unknown": "desconhecida"}


@lru_cache(maxsize=8_192, typed=True)
def reason(code: str, **values: Any) -> Reason:
    """A reason with its texts; raises KeyError for a code that has none.

    Most are said of many subjects, so that they are kept; no number may be -0.0, which is not told from 0.0.
    """
    english, portuguese = _TEXTS[code]
    return Reason(code=code, values=values, text={"en": english(values), "pt-BR": portuguese(values)})


def minute(at: datetime) -> str:
    """An instant to the minute, as texts are made from it: 2026-03-02T14:00Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def number_en(value: int) -> str:
    """1,234."""
    return f"{value:,}"


def number_pt(value: int) -> str:
    """1.234."""
    return f"{value:,}".replace(",", ".")


def date_en(day: date) -> str:
    """1 Apr 2026."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def date_pt(day: date) -> str:
    """01/04/2026."""
    return f"{day.day:02}/{day.month:02}/{day.year}"


def _en(count: int, one: str, many: str) -> str:
    return f"{number_en(count)} {one if count == 1 else many}"


def _pt(count: int, one: str, many: str) -> str:
    """In Brazilian Portuguese zero is singular too."""
    return f"{number_pt(count)} {one if count in {0, 1} else many}"


def _days_en(count: int) -> str:
    return _en(count, "day", "days")


def _days_pt(count: int) -> str:
    return _pt(count, "dia", "dias")


def _silent(what_en: str, what_pt: str) -> tuple[_Text, _Text]:
    def english(values: _Values) -> str:
        return f"no {what_en} for {_days_en(values['days'])}"

    def portuguese(values: _Values) -> str:
        return f"sem {what_pt} há {_days_pt(values['days'])}"

    return english, portuguese


def _recent(done_en: str, done_pt: str) -> tuple[_Text, _Text]:
    def english(values: _Values) -> str:
        days = values["days"]
        when = f"{_days_en(days)} ago" if days else "in the last 24 hours"
        return f"{done_en} {when}, on {_days_en(values['value_days'])} in all"

    def portuguese(values: _Values) -> str:
        days = values["days"]
        when = f"há {_days_pt(days)}" if days else "nas últimas 24 horas"
        return f"{done_pt} {when}, em {_days_pt(values['value_days'])} no total"

    return english, portuguese


def _tickets_en(values: _Values) -> str:
    count, days = values["count"], values["oldest_days"]
    age = f"for {_days_en(days)}" if days else "for less than a day"
    oldest = age if count == 1 else f"the oldest {age}"
    return f"{_en(count, 'open ticket', 'open tickets')}, {oldest}, worst severity {values['worst']}"


def _tickets_pt(values: _Values) -> str:
    count, days = values["count"], values["oldest_days"]
    age = f"há {_days_pt(days)}" if days else "há menos de um dia"
    oldest = age if count == 1 else f"o mais antigo {age}"
    opened = _pt(count, "chamado aberto", "chamados abertos")
    return f"{opened}, {oldest}, pior severidade {values['worst']}"


def _features_en(values: _Values) -> str:
    return f"{number_en(values['lately'])} of {_en(values['ever'], 'feature', 'features')} used in 30 days"


def _features_pt(values: _Values) -> str:
    ever = _pt(values["ever"], "funcionalidade", "funcionalidades")
    return f"{number_pt(values['lately'])} de {ever} em uso em 30 dias"


def _absence_en(values: _Values) -> str:
    return f"silent for {_days_en(values['days'])}, usually {_days_en(values['usual_days'])} at most"


def _absence_pt(values: _Values) -> str:
    return f"em silêncio há {_days_pt(values['days'])}, o habitual é até {_days_pt(values['usual_days'])}"


def _invoices_en(values: _Values) -> str:
    return f"{_en(values['count'], 'invoice', 'invoices')} overdue, {_oldest_en(values)}"


def _invoices_pt(values: _Values) -> str:
    return f"{_pt(values['count'], 'fatura em atraso', 'faturas em atraso')}, {_oldest_pt(values)}"


def _oldest_en(values: _Values) -> str:
    since = f"since {_days_en(values['days'])} ago" if values["days"] else "since today"
    return since if values["count"] == 1 else f"the oldest {since}"


def _oldest_pt(values: _Values) -> str:
    since = f"há {_days_pt(values['days'])}" if values["days"] else "desde hoje"
    return since if values["count"] == 1 else f"a mais antiga {since}"


def _ends(what_en: str, what_pt: str) -> tuple[_Text, _Text]:
    def english(values: _Values) -> str:
        return f"{what_en} ends on {_on_en(values)}, in {_days_en(values['days'])}"

    def portuguese(values: _Values) -> str:
        return f"{what_pt} termina em {_on_pt(values)}, em {_days_pt(values['days'])}"

    return english, portuguese


def _on_en(values: _Values) -> str:
    return date_en(date.fromisoformat(values["on"]))


def _on_pt(values: _Values) -> str:
    return date_pt(date.fromisoformat(values["on"]))


def _steps_en(values: _Values) -> str:
    return f"{_en(values['steps'], 'onboarding step', 'onboarding steps')} taken"


def _steps_pt(values: _Values) -> str:
    return _pt(values["steps"], "etapa de ativação concluída", "etapas de ativação concluídas")


def _courses_en(values: _Values) -> str:
    return f"{number_en(values['completed'])} of {_en(values['courses'], 'course', 'courses')} completed"


def _courses_pt(values: _Values) -> str:
    completed, courses = values["completed"], _pt(values["courses"], "curso", "cursos")
    done = "concluído" if completed in {0, 1} else "concluídos"
    return f"{number_pt(completed)} de {courses} {done}"


def _ago(what_en: str, what_pt: str) -> tuple[_Text, _Text]:
    def english(values: _Values) -> str:
        return f"{what_en} {_days_en(values['days'])} ago" if values["days"] else f"{what_en} in the last 24 hours"

    def portuguese(values: _Values) -> str:
        return f"{what_pt} há {_days_pt(values['days'])}" if values["days"] else f"{what_pt} nas últimas 24 horas"

    return english, portuguese


def _fix(what_en: str, what_pt: str) -> tuple[_Text, _Text]:
    return (
        lambda values: f"{what_en}: up to {_en(values['points'], 'point', 'points')} back",
        lambda values: f"{what_pt}: até {_pt(values['points'], 'ponto', 'pontos')} de volta",
    )


def _answered(survey: str, what_pt: str) -> tuple[_Text, _Text]:
    return (
        lambda values: f"{survey} answered with {values['percent']}% of the scale on {_on_en(values)}",
        lambda values: f"{what_pt} respondida com {values['percent']}% da escala em {_on_pt(values)}",
    )


def _failed_en(values: _Values) -> str:
    days = values["days"]
    return f"payment failed {_days_en(days)} ago, not recovered" if days else "payment failed, not recovered"


def _failed_pt(values: _Values) -> str:
    days = values["days"]
    return f"pagamento falhou há {_days_pt(days)}, sem regularização" if days else "pagamento falhou, sem regularização"


def _seats_en(values: _Values) -> str:
    return (
        f"{number_en(values['used'])} of {_en(values['seats'], 'seat', 'seats')} used in 30 days ({values['percent']}%)"
    )


def _seats_pt(values: _Values) -> str:
    seats = _pt(values["seats"], "licença", "licenças")
    return f"{number_pt(values['used'])} de {seats} em uso em 30 dias ({values['percent']}%)"


def _amount_en(value: float) -> str:
    """At most two decimals."""
    text = f"{round(value, 2):,}"
    return text.removesuffix(".0")


def _amount_pt(value: float) -> str:
    return _amount_en(value).translate(str.maketrans(",.", ".,"))


def _quota_en(values: _Values) -> str:
    return f"{values['quota']}: {_amount_en(values['used'])} of {_amount_en(values['limit'])} used"


def _quota_pt(values: _Values) -> str:
    return f"{values['quota']}: {_amount_pt(values['used'])} de {_amount_pt(values['limit'])} em uso"


def _run_en(values: _Values) -> str:
    when = f"in {_days_en(values['days'])}" if values["days"] else "within a day or already"
    return f"{_quota_en(values)}, at this pace until {_on_en(values)}, {when}"


def _run_pt(values: _Values) -> str:
    when = f"em {_days_pt(values['days'])}" if values["days"] else "dentro de um dia ou já esgotado"
    return f"{_quota_pt(values)}, nesse ritmo até {_on_pt(values)}, {when}"


def _attempts_en(values: _Values) -> str:
    times = _en(values["count"], "time", "times")
    return f"asked {times} for what the plan does not include, last on {_on_en(values)}"


def _attempts_pt(values: _Values) -> str:
    times = _pt(values["count"], "vez", "vezes")
    return f"procurou {times} o que o plano não inclui, a última em {_on_pt(values)}"


def _came_en(values: _Values) -> str:
    return f"{_en(values['count'], 'person', 'people')} joined, the latest on {_on_en(values)}"


def _came_pt(values: _Values) -> str:
    return f"{_pt(values['count'], 'pessoa entrou', 'pessoas entraram')}, a última em {_on_pt(values)}"


def _red_en(values: _Values) -> str:
    return f"{number_en(values['red'])} of {_en(values['people'], 'person', 'people')} in the red"


def _red_pt(values: _Values) -> str:
    return f"{number_pt(values['red'])} de {_pt(values['people'], 'pessoa', 'pessoas')} na faixa vermelha"


def _champions_en(values: _Values) -> str:
    silent, champions, days = values["silent"], values["champions"], _days_en(values["days"])
    whose = "champion" if champions == 1 else f"{number_en(silent)} of {number_en(champions)} champions"
    lasting = f"for {days}" if silent == 1 else f"the longest for {days}"
    return f"{_red_en(values)}, {whose} silent{' ' if silent == 1 else ', '}{lasting}"


def _champions_pt(values: _Values) -> str:
    silent, champions, days = values["silent"], values["champions"], _days_pt(values["days"])
    whose = "champion" if champions == 1 else f"{number_pt(silent)} de {number_pt(champions)} champions"
    lasting = f"há {days}" if silent == 1 else f"o mais antigo há {days}"
    return f"{_red_pt(values)}, {whose} em silêncio{' ' if silent == 1 else ', '}{lasting}"


def _moment_en(at: str) -> str:
    return f"{at[11:16]} UTC on {date_en(date.fromisoformat(at[:10]))}"


def _moment_pt(at: str) -> str:
    return f"{date_pt(date.fromisoformat(at[:10]))} às {at[11:16]} UTC"


def _nothing_en(values: _Values) -> str:
    return f"next to nothing of {values['kind']} from {values['source']} since {_moment_en(values['since'])}"


def _nothing_pt(values: _Values) -> str:
    return f"quase nada de {values['kind']} vindo de {values['source']} desde {_moment_pt(values['since'])}"


def _frozen_en(values: _Values) -> str:
    return f"{_nothing_en(values)}: it is not known"


def _frozen_pt(values: _Values) -> str:
    return f"{_nothing_pt(values)}: não se sabe"


def _silent_tracker(so_en: str, so_pt: str) -> tuple[_Text, _Text]:
    def english(values: _Values) -> str:
        usual = _en(values["customers"], "customer", "customers")
        return f"{_nothing_en(values)}, of some {usual} an hour: {so_en}"

    def portuguese(values: _Values) -> str:
        usual = _pt(values["customers"], "cliente", "clientes")
        return f"{_nothing_pt(values)}, de cerca de {usual} por hora: {so_pt}"

    return english, portuguese


def _over(so_en: str, so_pt: str) -> tuple[_Text, _Text]:
    def english(values: _Values) -> str:
        return f"{_nothing_en(values)} until {_moment_en(values['until'])}: {so_en}"

    def portuguese(values: _Values) -> str:
        return f"{_nothing_pt(values)} até {_moment_pt(values['until'])}: {so_pt}"

    return english, portuguese


def _import_running_en(values: _Values) -> str:
    return f"the past of many customers is coming in since {_moment_en(values['since'])}: the past alone alerts nobody"


def _import_running_pt(values: _Values) -> str:
    return f"o passado de muitos clientes entra desde {_moment_pt(values['since'])}: o passado em si não alerta"


def _import_over_en(values: _Values) -> str:
    whose = _en(values["customers"], "customer", "customers")
    bands = ", ".join(f"{number_en(values[band])} {band}" for band in ("red", "yellow", "green", "unknown"))
    untold = _en(values["untold"], "subject stands worse", "subjects stand worse")
    return f"the past of {whose} came in until {_moment_en(values['until'])}: {bands}; {untold} by it, told to nobody"


def _import_over_pt(values: _Values) -> str:
    whose = _pt(values["customers"], "cliente", "clientes")
    named = {
        "red": ("vermelho", "vermelhos"),
        "yellow": ("amarelo", "amarelos"),
        "green": ("verde", "verdes"),
        "unknown": ("desconhecido", "desconhecidos"),
    }
    bands = ", ".join(_pt(values[band], *words) for band, words in named.items())
    untold = _pt(values["untold"], "está pior", "estão piores")
    came = f"o passado de {whose} entrou até {_moment_pt(values['until'])}"
    return f"{came}: {bands}; {untold} por isso, sem alerta a ninguém"


def _severe_en(values: _Values) -> str:
    age = f"for {_days_en(values['days'])}" if values["days"] else "for less than a day"
    return f"a ticket of severity {values['severity']} open {age}: not the time to offer more"


def _severe_pt(values: _Values) -> str:
    age = f"há {_days_pt(values['days'])}" if values["days"] else "há menos de um dia"
    return f"chamado de severidade {values['severity']} aberto {age}: não é hora de oferecer mais"


_TEXTS: dict[str, tuple[_Text, _Text]] = {
    "use_silent": _silent("activity", "uso"),
    "use_recent": _recent("used", "usou"),
    "purchase_silent": _silent("purchase", "compras"),
    "purchase_recent": _recent("bought", "comprou"),
    "opening_silent": _silent("app opening", "abrir o app"),
    "opening_recent": _recent("opened the app", "abriu o app"),
    "no_open_tickets": (lambda _: "no open tickets", lambda _: "nenhum chamado aberto"),
    "open_tickets": (_tickets_en, _tickets_pt),
    "payments_in_order": (lambda _: "payments in order", lambda _: "pagamentos em dia"),
    "payment_failed": (_failed_en, _failed_pt),
    "payment_overdue": (
        lambda values: f"payment overdue for {_days_en(values['days'])}",
        lambda values: f"pagamento em atraso há {_days_pt(values['days'])}",
    ),
    "invoices_overdue": (_invoices_en, _invoices_pt),
    "contract_ends": _ends("contract", "contrato"),
    "contract_ended": (
        lambda values: f"contract ended on {_on_en(values)}, not renewed",
        lambda values: f"contrato terminou em {_on_pt(values)}, sem renovação",
    ),
    "trial_ends": _ends("trial", "período de teste"),
    "trial_ended": (
        lambda values: f"trial ended on {_on_en(values)}, no contract followed",
        lambda values: f"período de teste terminou em {_on_pt(values)}, sem contrato",
    ),
    "cancellation": (
        lambda values: f"cancellation takes effect on {_on_en(values)}",
        lambda values: f"cancelamento com efeito em {_on_pt(values)}",
    ),
    "cancelled": (
        lambda values: f"cancelled, in effect since {_on_en(values)}",
        lambda values: f"cancelado, com efeito desde {_on_pt(values)}",
    ),
    "features_used": (_features_en, _features_pt),
    "use_falling": (
        lambda values: f"used at {values['percent']}% of the earlier pace",
        lambda values: f"uso a {values['percent']}% do ritmo anterior",
    ),
    "absence": (_absence_en, _absence_pt),
    "nps_answered": (
        lambda values: f"NPS {values['score']} on {_on_en(values)}",
        lambda values: f"NPS {values['score']} em {_on_pt(values)}",
    ),
    "csat_answered": _answered("satisfaction survey", "pesquisa de satisfação"),
    "ces_answered": _answered("effort survey", "pesquisa de esforço"),
    "onboarding_steps": (_steps_en, _steps_pt),
    "courses_completed": (_courses_en, _courses_pt),
    "fix_support": _fix("resolve the open tickets", "resolver os chamados abertos"),
    "fix_feedback": _fix("answer what they said", "responder ao que disseram"),
    "fix_enablement": _fix("help them finish onboarding and training", "ajudar a concluir ativação e treinamento"),
    "fix_commercial": _fix("settle payment and contract", "resolver pagamento e contrato"),
    "fix_relationship": _fix("get in touch", "entrar em contato"),
    "fix_people": _fix("talk to the people in the red", "falar com as pessoas na faixa vermelha"),
    "fix_adoption": _fix("bring them back to use it more", "trazer de volta ao uso"),
    "people_red": (_red_en, _red_pt),
    "nobody_seen": (
        lambda values: f"nobody seen for {_days_en(values['days'])}",
        lambda values: f"ninguém visto há {_days_pt(values['days'])}",
    ),
    "champions_silent": (_champions_en, _champions_pt),
    "two_way_contact": _ago("last heard from each other", "último contato nos dois sentidos"),
    "one_way_contact": _ago("contact one way only, the latest", "contato em um só sentido, o último"),
    "spoke_for_us": _ago("last spoke for us", "falou a nosso favor pela última vez"),
    "stage_has_no_band": (
        lambda values: f"no band in the stage {values['stage']}",
        lambda values: f"sem faixa no estágio {_STAGES_PT.get(values['stage'], values['stage'])}",
    ),
    "low_coverage": (
        lambda values: f"only {values['percent']}% of what makes health is known",
        lambda values: f"só {values['percent']}% do que compõe a saúde é conhecido",
    ),
    "frozen": (_frozen_en, _frozen_pt),
    "import_running": (_import_running_en, _import_running_pt),
    "import_over": (_import_over_en, _import_over_pt),
    "tracker_silent": _silent_tracker(
        "health is frozen, nobody is alerted", "a saúde está congelada, ninguém é alertado"
    ),
    "tracker_silent_alone": _silent_tracker("nothing depends on it", "nada depende disso"),
    "tracker_repaired": _over("it is back, and that time does not count", "voltou, e esse tempo não conta"),
    "tracker_gone": _over("its source is gone, somebody said", "a fonte acabou, alguém disse"),
    "tracker_old": _over("nobody waits for it any more", "ninguém espera mais por isso"),
    "usual_risk": (
        lambda values: f"usual over {_days_en(values['horizon_days'])}, all being well",
        lambda values: f"habitual em {_days_pt(values['horizon_days'])}, se tudo vai bem",
    ),
    "usual_upsell": (lambda _: "usual, without a sign", lambda _: "habitual, sem sinal"),
    "seats_used": (_seats_en, _seats_pt),
    "quota_runs_out": (_run_en, _run_pt),
    "quota_used_up": (_quota_en, _quota_pt),
    "attempts_made": (_attempts_en, _attempts_pt),
    "people_came": (_came_en, _came_pt),
    "referred": (
        lambda values: f"referred somebody, last on {_on_en(values)}",
        lambda values: f"indicou alguém, a última vez em {_on_pt(values)}",
    ),
    "severe_ticket_open": (_severe_en, _severe_pt),
    "health_too_low": (
        lambda values: f"health is {values['band']}: not the time to offer more",
        lambda values: f"saúde {_BANDS_PT[values['band']]}: não é hora de oferecer mais",
    ),
}
