"""Names that tools and people give to the columns of event logs, best first; compared in lower case, letters and digits
only."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CASE = _words(
    """
    caseconceptname caseid caseidentifier casenumber caseno casenr casekey casename case traceid trace
    processinstanceid processinstance processid instanceid instance journeyid workflowid ticketid ticketnumber
    ticket incidentid incident orderid ordernumber order requestid applicationid loanid claimid patientid patient
    customerid documentid sessionid contractid invoiceid purchaseorder caseconcept entityid fallid fallnummer fall
    vorgangsnummer vorgangid vorgang auftragsnummer auftrag prozessinstanz vaka vakaid vakano durumid olayno surecid
    dossier iddossier numerodossier cas idcas casoid idcaso caso expediente processo idprocesso pratica zaaknummer
    zaakid zaak id
    """
)

ACTIVITY = _words(
    """
    conceptname activity activityname activityid task taskname activitylabel event eventname eventtype eventclass
    action actionname step stepname operation operationname handling milestone state statename status stage phase
    processstep function transaction aktivität aktivitaet aktivitat tätigkeit taetigkeit schritt prozessschritt
    arbeitsschritt ereignis aktion aktivite faaliyet işlem islem adım adim olay etkinlik activité activite étape
    etape tâche tache événement evenement actividad tarea evento etapa atividade tarefa attività attivita fase
    activiteit stap taak
    """
)

TIME = _words(
    """
    timetimestamp completetimestamp completiontimestamp endtimestamp timestamp completetime completiontime endtime
    endedat completedat finishtime finished enddate eventtime eventtimestamp eventdate eventdatetime datetime time
    date activitytime occurredat createdat at when end complete completed ts zeitstempel endezeit endzeit ende
    zeitpunkt zeit datum zamandamgası zamandamgasi bitiş bitis bitişzamanı bitiszamani tarih zaman horodatage
    horodate datefin fin dateheure heure marcadetiempo fechahora fecha fechafin hora datahora data datafim
    marcatemporale dataora tijdstip tijd einddatum
    """
)

START = _words(
    """
    starttimestamp timestart starttime startedat start startdate startdatetime began begin begintime begintimestamp
    startingtime startzeit startzeitstempel beginn anfang anfangszeit başlangıç baslangic başlangıçzamanı
    baslangiczamani başlama datedebut début debut inicio fechainicio início datainicio inizio datainizio begintijd
    startdatum
    """
)

RESOURCE = _words(
    """
    orgresource resource resourceid resourcename user username userid employee employeeid agent performer originator
    worker operator assignee assignedto actor executedby doneby handledby changedby owner bearbeiter mitarbeiter
    ressource benutzer sachbearbeiter kaynak kullanıcı kullanici çalışan calisan personel utilisateur employé
    employe agente recurso usuario empleado responsable usuário funcionário risorsa utente medewerker
    """
)

LIFECYCLE = _words(
    """
    lifecycletransition lifecycle lifecyclephase transition transitiontype registrationtype eventlifecycle
    statustype
    """
)

#: Values of the standard lifecycle model, lower case.
TRANSITIONS = frozenset(
    _words(
        """
    start complete schedule assign reassign suspend resume withdraw manualskip autoskip ate_abort pi_abort abort
    begin end started completed unknown scheduled enqueue dequeue
    """
    )
)

_NOISE = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Affixes:
    """What may stand before or behind a known name without changing what it means."""

    before: tuple[str, ...]
    behind: tuple[str, ...]

    def around(self, word: str) -> Iterator[str]:
        """The name with each of them."""
        yield from (before + word for before in self.before)
        yield from (word + behind for behind in self.behind)


AROUND_CASE = Affixes(
    _words("event log trace process"), _words("id identifier number num nr no key code ref reference nummer")
)
AROUND_ACTIVITY = Affixes(
    _words("event log process business workflow"), _words("name label type text title desc description en de tr")
)
AROUND_RESOURCE = Affixes(_words("event log org task activity"), _words("name id key code"))


def plain(name: str) -> str:
    """A name as the lists above have it."""
    return _NOISE.sub("", name.replace("İ", "i").replace("I", "i").lower())


def rank(name: str, known: Sequence[str], affixes: Affixes | None = None) -> int | None:
    """The place of a name in a list, 0 the best; None when it is not there. Names that only begin or end like a known
    one come after all that are equal: with one of the `affixes` around it, or, where there are none, with anything
    around a known name of four letters or more. Shorter ones (id, at) are part of too many other words.
    """
    text = plain(name)
    if text in known:
        return known.index(text)
    for place, word in enumerate(known):
        if affixes is None:
            fits = len(word) >= 4 and (text.startswith(word) or text.endswith(word))
        else:
            fits = len(word) >= 3 and text in affixes.around(word)
        if fits:
            return len(known) + place
    return None
