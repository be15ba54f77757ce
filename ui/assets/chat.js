// What the chat does in the browser: from a [n] to its source, from a source to its article, copying
// an answer with its sources. Events are caught on the document, because Gradio puts the page in
// and replaces parts of it whenever it likes.
"use strict";

(() => {
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const motion = () => (calm() ? "auto" : "smooth");

  // ---- [n] → its card ----

  function chooseSources(section) {
    for (const other of document.querySelectorAll(".aq-sources")) {
      other.classList.toggle("aq-shown", other === section);
    }
    section.parentElement.classList.add("aq-panel-chosen"); // the newest is no longer the default
  }

  function showCard(id) {
    const card = document.getElementById(id);
    if (!card) return;
    chooseSources(card.closest(".aq-sources"));
    for (const chosen of document.querySelectorAll(".aq-chosen")) chosen.classList.remove("aq-chosen");
    card.classList.remove("aq-pulse");
    void card.offsetWidth; // so that the animation starts anew
    card.classList.add("aq-chosen", "aq-pulse");
    card.focus({ preventScroll: true });
    card.scrollIntoView({ behavior: motion(), block: "nearest" });
  }

  // ---- a card → its article ----

  let dialog;

  function articleDialog() {
    if (dialog) return dialog;
    dialog = document.createElement("dialog");
    dialog.className = "aq-dialog";
    const bar = document.createElement("div");
    bar.className = "aq-dialog-bar";
    const title = document.createElement("p");
    title.className = "aq-dialog-title";
    title.id = "aq-dialog-title";
    dialog.setAttribute("aria-labelledby", title.id);
    const close = document.createElement("button");
    close.type = "button";
    close.className = "aq-close";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    bar.append(title, close);
    const body = document.createElement("div");
    body.className = "aq-dialog-body";
    body.tabIndex = 0; // scrolls with the keyboard
    body.setAttribute("role", "document");
    dialog.append(bar, body);
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(); // on the backdrop
    });
    document.body.append(dialog);
    return dialog;
  }

  async function articleAt(address) {
    try {
      const reply = await fetch(address);
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      const article = page.querySelector("article.aq-article");
      if (article) return document.adoptNode(article);
    } catch {
      // the server has gone: said below
    }
    const notice = document.createElement("article");
    notice.className = "aq-article";
    notice.textContent = "The article could not be loaded. Is the server still running?";
    return notice;
  }

  async function openArticle(link) {
    const address = new URL(link.href);
    const article = await articleAt(address.pathname + address.search);
    const view = articleDialog();
    const body = view.lastElementChild;
    view.querySelector(".aq-dialog-title").textContent =
      article.querySelector("h1")?.textContent ?? "";
    body.replaceChildren(article);
    if (!view.open) view.showModal();
    body.scrollTop = 0;
    const mark = article.querySelector(address.hash || "mark") ?? article.querySelector("mark");
    mark?.scrollIntoView({ block: "center" });
    body.focus({ preventScroll: true });
  }

  // ---- an answer and its sources as text ----

  function withoutHidden(element) {
    const copy = element.cloneNode(true);
    for (const hidden of copy.querySelectorAll(".aq-sr, .aq-badge")) hidden.remove();
    return copy.textContent.trim();
  }

  function answerAsText(turn) {
    const number = turn.id.slice("turn-".length);
    const short = [...turn.querySelectorAll(".aq-short > p, .aq-short tbody tr")].map((line) =>
      line.cells ? [...line.cells].map(withoutHidden).join(" — ") : withoutHidden(line),
    );
    const lines = short.length ? [...short, ""] : [];
    lines.push(withoutHidden(turn.querySelector(".aq-text")));
    for (const card of document.querySelectorAll(`#sources-${number} .aq-card`)) {
      const n = card.id.split("-").pop();
      const origin = withoutHidden(card.querySelector(".aq-origin"));
      lines.push("", `[${n}] ${withoutHidden(card.querySelector("h3"))} (${origin})`);
      lines.push(`“${card.querySelector("mark").textContent}”`);
      const original = card.querySelector(".aq-original");
      if (original) lines.push(original.href);
    }
    return lines.join("\n");
  }

  async function copyAnswer(button) {
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(answerAsText(button.closest(".aq-turn")));
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser did not allow copying";
    }
    setTimeout(() => (button.textContent = label), 2000);
  }

  // ---- events ----

  document.addEventListener("click", (event) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const target = event.target instanceof Element ? event.target : null;
    const cite = target?.closest("a.aq-cite");
    const opener = target?.closest("a.aq-open");
    const copy = target?.closest(".aq-copy");
    const card = target?.closest(".aq-card");
    if (cite) {
      event.preventDefault();
      showCard(cite.hash.slice(1));
    } else if (opener) {
      event.preventDefault();
      openArticle(opener);
    } else if (copy) {
      copyAnswer(copy);
    } else if (card && !target.closest("a") && getSelection().isCollapsed) {
      openArticle(card.querySelector("a.aq-open"));
    }
  });

  // ---- keeping the newest message in sight, and telling screen readers about it ----

  const status = document.createElement("p");
  status.className = "aq-sr";
  status.setAttribute("role", "status");
  document.body.append(status);

  let turns = 0;
  let answered = 0; // blocks of sources
  let atEnd = true; // until the reader scrolls up

  document.addEventListener(
    "scroll",
    ({ target }) => {
      if (target.id !== "aq-chat") return;
      atEnd = target.scrollHeight - target.scrollTop - target.clientHeight < 40;
    },
    { capture: true, passive: true },
  );

  function showNewest() {
    document.querySelector(".aq-panel-chosen")?.classList.remove("aq-panel-chosen");
    document.querySelector(".aq-shown")?.classList.remove("aq-shown");
    const panel = document.getElementById("aq-right");
    if (panel) panel.scrollTop = 0;
  }

  function follow() {
    const chat = document.getElementById("aq-chat");
    if (!chat) return;
    const all = chat.querySelectorAll(".aq-turn");
    const last = all[all.length - 1];
    if (all.length !== turns) {
      turns = all.length;
      atEnd = true;
    }
    if (atEnd && last) {
      // The end, but no further than the question: a long answer is read from its beginning.
      const question = last.offsetTop - chat.offsetTop - 12;
      chat.scrollTop = Math.min(question, chat.scrollHeight - chat.clientHeight);
    }
    const blocks = document.querySelectorAll(".aq-sources").length;
    if (blocks !== answered) {
      answered = blocks;
      showNewest();
    }
    announce(last?.querySelector(".aq-answer"));
  }

  function announce(answer) {
    const first = answer?.querySelector(".aq-verdict, .aq-short, .aq-text");
    const text = first?.innerText ?? ""; // as shown: the cells of a table apart
    const said = !answer || answer.classList.contains("aq-busy") ? "" : text;
    if (status.textContent !== said) status.textContent = said;
  }

  new MutationObserver((changes) => {
    if (changes.some((change) => change.target.parentElement?.closest("#aq-log, #aq-panel"))) follow();
  }).observe(document.body, { childList: true, subtree: true });
})();
