"""What the mock says where no documented payload says it, in both languages."""

from lodestream_mock.scenarios.story import Kind

_JOB = {"en": "Job", "tr": "İş"}
_OPERATION = {"en": "Operation", "tr": "İşlem"}

_SENTENCES = {
    "en": {
        Kind.SUBMITTED: "{run} submitted",
        Kind.QUEUED: "{run} queued",
        Kind.STARTED: "{run} execution started",
        Kind.PHASE_STARTED: "{phase} stage started",
        Kind.PHASE_COMPLETED: "{phase} stage completed",
        Kind.PROGRESS: "{phase} {percent}% completed",
        Kind.CANCEL_REQUESTED: "Cancellation requested: {text}",
        Kind.COMPLETED: "{run} completed",
        Kind.FAILED: "{run} failed: {text}",
        Kind.CANCELLED: "{run} cancelled: {text}",
        Kind.TIMED_OUT: "{run} reached its time limit",
    },
    "tr": {
        Kind.SUBMITTED: "{run} gönderildi",
        Kind.QUEUED: "{run} kuyruğa alındı",
        Kind.STARTED: "{run} yürütme başlatıldı",
        Kind.PHASE_STARTED: "{phase} aşaması başlatıldı",
        Kind.PHASE_COMPLETED: "{phase} aşaması tamamlandı",
        Kind.PROGRESS: "{phase} %{percent} tamamlandı",
        Kind.CANCEL_REQUESTED: "İptal istendi: {text}",
        Kind.COMPLETED: "{run} tamamlandı",
        Kind.FAILED: "{run} başarısız oldu: {text}",
        Kind.CANCELLED: "{run} iptal edildi: {text}",
        Kind.TIMED_OUT: "{run} zaman sınırına ulaştı",
    },
}
_UPCOMING = {
    "en": ("{phase} stage expected to complete", "{phase} stage expected to start", "{run} expected to complete"),
    "tr": (
        "{phase} aşamasının tamamlanması bekleniyor",
        "{phase} aşamasının başlaması bekleniyor",
        "{run} tamamlanması bekleniyor",
    ),
}


def run_word(kind: str, language: str) -> str:
    """ "Job" or "Operation"."""
    return (_OPERATION if kind == "operation" else _JOB)[language]


def sentence(kind: Kind, language: str, *, run: str, phase: str = "", percent: int = 0, text: str = "") -> str:
    """The description of a timeline entry; "" for kinds that always bring their own text."""
    form = _SENTENCES[language].get(kind, "")
    return form.format(run=run_word(run, language), phase=phase, percent=percent, text=text).rstrip(": ")


def upcoming(language: str, run: str, phase: str = "") -> tuple[str, str, str]:
    """What should come: the phase's end, its start, and the run's end."""
    ends, starts, done = _UPCOMING[language]
    return ends.format(phase=phase), starts.format(phase=phase), done.format(run=run_word(run, language))
