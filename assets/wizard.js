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

  // A button that copies what is to be passed on.
  for (const box of document.querySelectorAll(".copy")) {
    const input = box.querySelector("input");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "reveal-button";
    button.textContent = box.dataset.copy;
    button.addEventListener("click", async () => {
      input.select();
      try {
        await navigator.clipboard.writeText(input.value);
        button.textContent = box.dataset.copied;
      } catch {
        // It is selected now; the person's own copying works.
      }
    });
    box.classList.add("reveal-on");
    box.append(button);
  }

  // A step that waits for somebody else looks now and then whether they have acted.
  const waiting = document.querySelector("form[data-watch]");
  if (waiting) {
    const version = (page) => page.querySelector('#answer input[name="step"]')?.value;
    const own = version(document);
    setInterval(async () => {
      if (document.hidden) return;
      try {
        const reply = await fetch(location.href, { headers: { accept: "text/html" } });
        const page = new DOMParser().parseFromString(await reply.text(), "text/html");
        if (version(page) !== own) location.reload();
      } catch {
        // Out of reach for now; the next look may tell.
      }
    }, 5000);
  }

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
