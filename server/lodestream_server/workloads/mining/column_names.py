"""Names that tools and people give to the columns of event logs, best first; compared in lower case, letters and digits
only."""

import re
from collections.abc import Sequence


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


def plain(name: str) -> str:
    """A name as the lists above have it."""
    return _NOISE.sub("", name.replace("İ", "i").replace("I", "i").lower())


def rank(name: str, known: Sequence[str]) -> int | None:
    """The place of a name in a list, 0 the best; names that begin or end with a known one (of 4 letters or more) come
    after; None: unknown."""
    text = plain(name)
    if text in known:
        return known.index(text)
    for place, word in enumerate(known):
        if len(word) >= 4 and (text.startswith(word) or text.endswith(word)):
            return len(known) + place
    return None
