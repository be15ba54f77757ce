"""Tells the lines that outlets put between an article's paragraphs from the paragraphs.

Cautious: a line lost is worse than one too many. A line goes only if it is short and the whole of
it, or its first words, have one of the forms below. Longer ones go too if nobody but an outlet
writes so: requests to subscribe or donate, and cookie notices, of which most must also name a
choice that the reader is to make.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from index.parsing.captions import split_credit

MAX_WORDS = 25  # of a line; more is a paragraph, whatever its first words are
MAX_NOTICE_WORDS = 120  # of a cookie notice
MAX_CONSENT_WORDS = 200  # of one in the words of the IAB's framework; its full text has 150
MAX_PLEA_WORDS = 60  # of a request to subscribe or donate
MAX_LABEL_WORDS = 18  # of what stands behind "Read more:", a headline

_LABELS = (  # with a headline behind them, or alone
    r"(?:(?:read|see|watch|listen)(?: (?:more|also|next|this|too))|also (?:read|see|watch))"
    r"(?: (?:from|on|about|in|at) [^:.]{1,60})?",
    r"(?:more|also) (?:on this(?: story)?|from [A-Z][^:.]{1,40}(?=:|$)|to read)",
    r"(?:related|recommended|suggested)(?: (?:articles?|stor(?:y|ies)|news|content|reading"
    r"|coverage|links?|topics?|posts?|videos?))?",
    r"(?:you (?:may|might) (?:also )?(?:like|be interested in)|don['’]t miss|up next|must[- ]read"
    r"|trending(?: now)?|most (?:read|popular|viewed)|editor['’]?s['’]? picks?"
    r"|in case you missed it)",
    r"(?:lesen sie (?:auch|mehr|dazu)|lesen sie auch dazu|mehr zum thema|das könnte sie (?:auch )?"
    r"interessieren|siehe auch|auch interessant)",
    r"(?:(?:à )?lire (?:aussi|également)|voir (?:aussi|également)|sur le même (?:sujet|thème)"
    r"|pour aller plus loin)",
    r"(?:l(?:ee|ea|eer) (?:también|más)|te puede interesar|le puede interesar|ver también"
    r"|noticias? relacionadas?|más información)",
    r"(?:читайте також|читати (?:також|далі|більше)|дивіться також|більше (?:за|на) (?:темою|тему)"
    r"|за темою|вас може зацікавити)",
)
_WHOLE = (  # the whole line
    r"(?:[-–—*|\s]*)(?:advertisement|advertorial|sponsored(?: content| by [^.]{1,40})?"
    r"|paid content|promoted(?: content)?|ad|article continues (?:below|after(?: this| the)? "
    r"(?:ad(?:vertisement)?|video))|(?:story|article) continues below(?: (?:this )?advertisement)?"
    r"|continue reading(?: (?:below|the main story|for free))?|scroll to continue|skip ad"
    r"(?:vertisement)?|(?:anzeige|werbung|publicité|publicidad|anuncio|реклама))(?:[-–—*|\s]*)",
    r"(?:share|tweet|print|email|save|copy link|send|comment|pin it|whatsapp|facebook|twitter"
    r"|linkedin|telegram|x)(?:(?:[\s,|/·•]+(?:and|on|via|by|to|the|or)?\s*)(?:share|tweet|print|email"
    r"|save|copy link|send|comments?|facebook|twitter|linkedin|telegram|whatsapp|x|reddit"
    r"|instagram|bluesky|threads|e-?mail))*",
    r"(?:share|print|save|email|send|bookmark) (?:this|the) (?:article|story|page|post|link|video)"
    r"(?: (?:on|via|with|by|to) [^.]{1,60})?",
    r"share this(?: (?:on|via|with|by) [^.]{1,60})?|share (?:on|via) [^.]{1,60}",
    r"(?:artikel teilen|teilen|drucken|partager(?: (?:cet article|sur [^.]{1,40}))?|compartir"
    r"(?: (?:este artículo|en [^.]{1,40}))?|поділитися(?: [^.]{1,40})?)",
    r"(?:skip to (?:main )?content|back to (?:the )?top|table of contents|leave a (?:comment|reply)"
    r"|(?:view|show|read|post|join) (?:all )?(?:the )?(?:\d+ )?(?:comments?|conversation)"
    r"|\d+ comments?|comments? (?:are )?(?:closed|off)|report (?:this )?ad|log ?in|sign ?in"
    r"|register(?: now)?|subscribe(?: now| today)?|sign up(?: now| today)?|download (?:the|our) app"
    r"|accept(?: all)?(?: cookies)?|reject(?: all)?(?: cookies)?|manage (?:cookies|preferences"
    r"|settings)|(?:dis)?agree(?: (?:and|&) (?:close|continue|proceed))?|more options"
    r"|cookie (?:settings|policy|preferences)|privacy policy"
    r"|terms(?: (?:of (?:use|service)|and conditions))?|all rights reserved|newsletters?"
    r"|support (?:our|independent|local) journalism(?: (?:now|today))?|donate (?:now|today|here))",
    r"(?:zum inhalt springen|nach oben|kommentare|jetzt (?:abonnieren|anmelden)"
    r"|retour en haut|s['’]abonner|volver arriba|suscr[íi]bete|підпис(?:атися|уйтесь))",
)
_FIRST_WORDS = (  # the first words of a short line
    r"(?:this|the) (?:news )?(?:story|article|page|report|post|live blog) (?:has been|was|is being"
    r"|will be|has since been) (?:updated|corrected|amended|revised)"
    r"(?:[.!]|$| (?:to|with|on|at|as)\b)",
    r"this (?:is a (?:developing|breaking)(?: news)? story|(?:news )?story is (?:still )?"
    r"(?:developing|breaking|being updated))\b",
    r"(?:please )?(?:sign ?up|subscribe|register)(?: (?:here|now|today|free))? (?:for|to)"
    r" (?:our|the|your|get|receive|a|my|[A-Z][\w’']*['’]s?)\b.{0,120}"
    r"\b(?:newsletters?|emails?|inbox|alerts?|podcasts?|channel|updates|briefing|digest|youtube|feed)\b",
    r"(?:get|receive|have)\b.{0,80}\b(?:delivered |sent )?(?:straight |directly |right )?(?:to|in) "
    r"your (?:inbox|email|mailbox)\b",
    r"(?:sign up|subscribe|join us|click here) (?:here|now|to (?:subscribe|sign up))\b",
    r"(?:enter|submit) your e-?mail\b",
    r"(?:please )?(?:follow|like|find|join) (?:us|[A-Z][\w.&’' ]{1,40}?) on (?:facebook|twitter|x\b"
    r"|instagram|telegram|whatsapp|youtube|linkedin|tiktok|social media|mastodon|bluesky"
    r"|google news|threads)",
    r"follow us\b",
    r"(?:thank you|thanks) for (?:reading|subscribing|signing up)\b",
    r"(?:already|not yet) (?:a|an) (?:subscriber|member)\b",
    r"(?:do you have|got) a (?:story|tip|news tip)\b",
    r"this (?:article|story|post) (?:was )?(?:originally|first) (?:appeared|published)"
    r" (?:on|in|at|by)",
    r"(?:to (?:continue|keep) reading|to read the full (?:story|article))\b.{0,80}"
    r"\b(?:subscribe|sign|register|log)",
    r"please (?:enable|turn on) (?:javascript|cookies)\b",
    r"your browser (?:does not|doesn['’]t|is)\b",
    r"by (?:signing up|subscribing|registering|clicking|continuing)\b.{0,100}"
    r"\b(?:agree|accept|consent)",
    r"(?:abonnieren sie|melden sie sich|jetzt)\b.{0,80}\bnewsletter",
    r"(?:folgen sie uns|folge uns)\b",
    r"(?:dieser (?:artikel|text|beitrag) wurde)\b.{0,60}\b(?:aktualisiert|korrigiert)",
    r"(?:abonnez-vous|inscrivez-vous|recevez)\b.{0,100}\b(?:newsletter|lettre|infolettre|boîte)",
    r"suivez-nous\b",
    r"cet article a été (?:mis à jour|modifié|corrigé)\b",
    r"(?:suscr[íi]b[ae](?:te|se)|recib[ae])\b.{0,80}\b(?:newsletter|bolet[íi]n|correo)",
    r"s[íi]gu(?:enos|anos)\b",
    r"este artículo (?:ha sido|fue) (?:actualizado|corregido)\b",
    r"(?:підпис(?:уйтес[ья]|атися|уйся|уйтеся)|приєднуйтес[ья]|стежте за)\b.{0,80}\b(?:розсилк\w*"
    r"|канал\w*|telegram|телеграм\w*|facebook|фейсбук\w*|новинами|нами)",
    r"(?:цю|ця|цей) (?:новину|новина|статтю|стаття|матеріал)\s+(?:було\s+|був\s+)?оновлено\b",
)
_PARTNERS = r"(?:our )?(?:\d[\d.,]* )?(?:\w+ )?(?:partners|vendors)"
_CONSENT = re.compile(  # the words of the IAB's framework, by themselves enough
    rf"(?:(?:we value your privacy[.!]? )?we and {_PARTNERS} (?:store and/or|store or"
    r"|process personal|use cookies)\b.{0,80}\b(?:information|data|identifiers)"
    r"|you (?:may|can) click (?:\S+ ){0,6}to (?:consent|agree) to (?:our|the)\b.{0,80}"
    r"\bprocessing"
    rf"|with your (?:permission|consent|agreement),? we and {_PARTNERS} (?:may )?(?:use|process)"
    rf"|(?:some of )?{_PARTNERS} (?:may )?process your (?:personal )?data\b"
    r"|please note that some processing of your personal data\b"
    r"|your (?:preferences|choices) will apply to this (?:web ?)?site)",
    re.IGNORECASE,
)
_EMAIL = r"(?:newsletters?|e-?mails?|briefings?|digests?)\b"
_SENDER = r"(?:our|the|local|independent|quality|investigative|public[- ]interest|non-?profit)"
_PLEA = re.compile(  # no commas between the words: "Get our boys home, says the newsletter"
    r"(?:join (?:(?:the|our|over|more than|other) ){0,3}\d[\d.,]*(?: ?(?:k|thousand|million))?\+?"
    r" (?:(?:other|happy|loyal) )?(?:readers|subscribers|people|others)"
    rf"(?: [\w’'-]+){{0,8}} {_EMAIL}"
    rf"|(?:get|receive|try) our(?: [\w’'-]+){{0,5}} {_EMAIL}"
    rf"|support {_SENDER}(?: [\w’'-]+){{0,3}} (?:journalism|reporting|newsroom)"
    r"(?: (?:now|today|here))?(?:[.!:…–—-]+ ?| (?:and|by|with) )(?:please )?"
    r"(?:donat(?:e|ing)|a donation|mak(?:e|ing) a|becom(?:e|ing) a|contribut(?:e|ing)"
    r"|subscrib(?:e|ing)|giv(?:e|ing)|join us)\b"
    r"|(?:please )?donate (?:now|today|here)?\s?to (?:support|help|keep|fund) (?:us|our)\b"
    r"|please consider (?:donating|making a donation|supporting (?:us|our)|becoming a member)\b)",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    r"(?:we(?: and our (?:\d[\d.,]* )?partners)? (?:use|store and/or|store or|may use)\b.{0,60}"
    r"(?:cookies|access information)|(?:this|our) (?:web ?)?site uses cookies"
    r"|we value your privacy|by clicking (?:[“\"'‘]?(?:accept|agree|allow))"
    r"|your (?:privacy|cookie) (?:choices|settings)"
    r"|wir (?:verwenden|nutzen|benötigen)\b.{0,60}(?:cookies|einwilligung)"
    r"|diese (?:web)?s(?:ei|i)te (?:verwendet|nutzt) cookies|nous utilisons des cookies"
    r"|(?:ce|notre) site utilise des cookies"
    r"|(?:utilizamos|usamos) cookies|este sitio (?:web )?utiliza cookies"
    r"|ми використовуємо (?:файли )?cookie|(?:цей|наш) сайт використовує)",
    re.IGNORECASE,
)
_CHOICE = re.compile(
    r"\b(?:accept|agree|consent|preferences|settings|privacy policy|cookie policy|personali[sz]\w*"
    r"|analy[sz]\w*|experience|akzeptieren|zustimm\w*|einstellungen|datenschutz\w*|accept\w*"
    r"|paramètres|aceptar|acepta\w*|configura\w*|налаштуван\w*|погоджу\w*|приймаю)\b",
    re.IGNORECASE,
)
_END = r"\s*[:.!…»›>→]*"
_WHOLE_LINE = re.compile(rf"(?:{'|'.join((*_WHOLE, *_LABELS))}){_END}", re.IGNORECASE)
_LABELLED = re.compile(rf"(?:{'|'.join(_LABELS)})\s*[:|→»]\s*\S.*", re.IGNORECASE | re.DOTALL)
_BEGINNING = re.compile(rf"(?:{'|'.join(_FIRST_WORDS)})", re.IGNORECASE)


def is_boilerplate(paragraph: str) -> bool:
    """Say whether a paragraph is an outlet's standing line: "Read more: …", a credit, a notice."""
    line = " ".join(paragraph[: MAX_CONSENT_WORDS * 20].split()).strip("*_[]()|• ")
    n_words = line.count(" ") + 1
    if _is_request(line, n_words):
        return True
    if n_words > MAX_WORDS:
        return False
    if _LABELLED.fullmatch(line):
        return n_words <= MAX_LABEL_WORDS
    return (
        _WHOLE_LINE.fullmatch(line) is not None
        or _BEGINNING.match(line) is not None
        or (_NOTICE.match(line) is not None)
        or (line != "" and split_credit(line)[0] == "")
    )


def _is_request(line: str, n_words: int) -> bool:
    """Say whether a line asks for consent, a subscription or a donation: these may be long."""
    if n_words <= MAX_PLEA_WORDS and _PLEA.match(line):
        return True
    if n_words <= MAX_NOTICE_WORDS and _NOTICE.match(line) and _CHOICE.search(line):
        return True
    return n_words <= MAX_CONSENT_WORDS and _CONSENT.match(line) is not None


def without_boilerplate(paragraphs: Iterable[str]) -> Iterator[str]:
    """Yield the paragraphs that are not standing lines."""
    return (paragraph for paragraph in paragraphs if not is_boilerplate(paragraph))
