// Comfort only: every page works without this file.
(() => {
  "use strict";

  // A button that shows what is typed into a password field, and hides it again before it is sent.
  for (const box of document.querySelectorAll(".reveal")) {
    const input = box.querySelector("input");
    const button = document.createElement("button");
    const label = document.querySelector(`label[for="${CSS.escape(input.id)}"]`).textContent;
    const show = (visible) => {
      input.type = visible ? "text" : "password";
      button.textContent = visible ? box.dataset.hide : box.dataset.show;
      button.setAttribute("aria-label", `${button.textContent}: ${label}`);
    };
    button.type = "button";
    button.className = "reveal-button";
    button.addEventListener("click", () => {
      show(input.type === "password");
      input.focus();
    });
    input.form.addEventListener("submit", () => show(false));
    addEventListener("pageshow", () => show(false));
    show(false);
    box.classList.add("reveal-on");
    box.append(button);
  }

  // What is to be corrected is corrected from its end.
  const first = document.querySelector("input[autofocus]");
  first?.setSelectionRange(first.value.length, first.value.length);

  // A button that copies what is to be passed on, or typed elsewhere. Pages without encryption have no clipboard but the old
  // command's, which copies what is selected.
  const copies = (root) => {
    for (const box of root.querySelectorAll("[data-copy]")) {
      const source = box.querySelector("input, code");
      const select = () => {
        if (source.select) {
          source.focus();
          source.select();
        } else {
          getSelection().selectAllChildren(source);
        }
      };
      const copy = async () => {
        select();
        try {
          await navigator.clipboard.writeText(source.value ?? source.textContent);
          return true;
        } catch {
          return document.execCommand("copy");
        }
      };
      const button = document.createElement("button");
      const told = document.createElement("span");
      let rest;
      button.type = "button";
      button.className = source.select ? "button" : "button-quiet button-way";
      button.textContent = box.dataset.copy;
      told.className = "unseen";
      told.setAttribute("role", "status");
      button.addEventListener("click", async () => {
        const copied = await copy();
        // Where nothing copies, it stays selected for the person's own copying.
        if (copied) button.focus();
        told.textContent = copied ? box.dataset.copied : box.dataset.selected;
        button.textContent = told.textContent;
        clearTimeout(rest);
        rest = setTimeout(() => {
          button.textContent = box.dataset.copy;
          told.textContent = "";
        }, 5000);
      });
      box.append(button, told);
      // A code's groups are not what is copied, neither by the old command nor by the person.
      source.addEventListener("copy", (event) => {
        event.clipboardData.setData("text/plain", source.value ?? source.textContent);
        event.preventDefault();
      });
    }
  };
  copies(document);

  // Times are written in UTC, since the server does not know where the person is; the browser does.
  const local = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
  const utc = /(\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC/;
  for (const words of document.querySelectorAll("#notice p, #notice bdi")) {
    if (words.childElementCount) continue;
    const said = words.textContent.replace(utc, (all, day, time) => {
      const at = new Date(`${day}T${time}Z`);
      return Number.isNaN(at.getTime()) ? all : local.format(at);
    });
    if (said !== words.textContent) words.textContent = said;
  }

  // This page as it is by now; nothing where the server has trouble. An error of the server passes; what it says about the
  // session does not.
  const current = async () => {
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(), 15000);
    try {
      const reply = await fetch(location.href, { headers: { accept: "text/html" }, signal: stop.signal });
      if (reply.status >= 500 || reply.status === 429) return undefined;
      return new DOMParser().parseFromString(await reply.text(), "text/html");
    } finally {
      clearTimeout(late);
    }
  };
  const version = (page) => page.querySelector('#answer input[name="step"]')?.value;

  // A step that waits for somebody else looks now and then whether they have acted, and says so.
  const waiting = document.querySelector("form[data-watch]");
  if (waiting) {
    const own = version(document);
    const says = document.createElement("p");
    const ring = document.createElement("span");
    says.className = "watching";
    ring.className = "spinner";
    says.append(ring, waiting.dataset.watch);
    waiting.prepend(says);
    setInterval(async () => {
      if (document.hidden) return;
      try {
        const page = await current();
        if (page && version(page) !== own) location.replace(location.pathname);
      } catch {
        // Out of reach for now; the next look may tell.
      }
    }, 5000);
  }

  // A step that moves on by itself: the server says when there is something else to see, and where that cannot be heard
  // the page looks now and then. Only what moves is exchanged while the step stands.
  let live = document.getElementById("live");
  if (live) {
    const whole = new Intl.NumberFormat(document.documentElement.lang);
    const two = new Intl.NumberFormat(document.documentElement.lang, { minimumIntegerDigits: 2 });
    const clock = (seconds) => `${whole.format(Math.floor(seconds / 60))}:${two.format(seconds % 60)}`;
    let ends;
    const lasts = () => {
      ends = "seconds" in live.dataset ? Date.now() + live.dataset.seconds * 1000 : undefined;
      live.querySelector(".lasts-words")?.setAttribute("hidden", "");
      const left = document.createElement("span");
      left.setAttribute("role", "timer");
      live.querySelector(".lasts")?.append(left);
      count();
    };
    const count = () => {
      if (ends === undefined) return;
      const seconds = Math.max(0, Math.ceil((ends - Date.now()) / 1000));
      const { lasts, over } = live.querySelector(".lasts").dataset;
      live.querySelector(".lasts [role=timer]").textContent = seconds === 0 ? over : lasts.replace("{time}", clock(seconds));
      // A code that works no more is not to be scanned.
      live.classList.toggle("live-over", seconds === 0);
    };
    // What the stream said last. The page is behind until it shows that: an answer may have been drawn just before what was
    // said, or not have come at all.
    let said;
    const isBehind = () => said !== undefined && said !== live.dataset.mark;
    let [looking, leaving] = [false, false];
    const look = async () => {
      if (looking || leaving) return;
      looking = true;
      const before = said;
      try {
        const page = await current();
        if (!page) return;
        const next = page.getElementById("live");
        if (!next || version(page) !== version(document)) {
          // Never a form sent again, where this page was the answer to one.
          leaving = true;
          location.replace(location.pathname);
        } else if (next.dataset.mark !== live.dataset.mark) {
          live.replaceWith(next);
          live = next;
          copies(live);
          lasts();
        }
      } catch {
        // Out of reach for now; the next look may tell.
      } finally {
        looking = false;
        if (said !== before && isBehind()) look();
      }
    };
    // When the stream was last heard, which says every ten seconds that it lives. Being open is no proof: something on the
    // way may hold back what comes over it.
    let heard = 0;
    const isHeard = () => Date.now() - heard < 25000;
    const follow = () => {
      if (!("EventSource" in window)) return;
      const events = new EventSource(live.dataset.events);
      events.addEventListener("moved", (event) => {
        heard = Date.now();
        said = event.data;
        if (isBehind()) look();
      });
      // Without a stream the page looks by itself; a stream is tried again after a while.
      events.addEventListener("error", () => {
        heard = 0;
        if (events.readyState === EventSource.CLOSED) setTimeout(follow, 15000);
      });
      for (const sign of ["open", "alive"]) {
        events.addEventListener(sign, () => {
          heard = Date.now();
        });
      }
    };
    lasts();
    follow();
    setInterval(count, 500);
    setInterval(() => {
      if (!document.hidden && (!isHeard() || isBehind() || ends < Date.now())) look();
    }, 3000);
    // A phone that comes back from the app has slept meanwhile.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) look();
    });
  }

  // A page that the browser had put aside, shown again by its Back button, may be behind the times.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  // One submit at a time. The button is not disabled, since its name is part of what is sent; and coming back
  // to the page, or waiting in vain, makes it work again.
  for (const form of document.querySelectorAll("form[data-once]")) {
    let again;
    const rest = () => {
      clearTimeout(again);
      delete form.dataset.busy;
      form.removeAttribute("aria-busy");
    };
    form.addEventListener("submit", (event) => {
      if (form.dataset.busy) {
        event.preventDefault();
        return;
      }
      form.dataset.busy = "yes";
      form.setAttribute("aria-busy", "true");
      again = setTimeout(rest, 20000);
    });
    addEventListener("pageshow", rest);
  }
})();
