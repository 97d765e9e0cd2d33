"use strict";
(function () {
  const main = document.querySelector("main"), state = document.getElementById("state");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const place = document.getElementById("card");
  let asking = false, again = false;

  // Where the needle is seen, which may be on its way.
  function hand() {
    const element = place.querySelector(".hand");
    if (!element) return null;
    const { a, b } = new DOMMatrix(getComputedStyle(element).transform);
    return { element, turn: Math.atan2(b, a) * 180 / Math.PI };
  }

  function turned(degrees) {
    return { transform: `translate(120px, 120px) rotate(${degrees}deg) translate(-120px, -120px)` };
  }

  // The new needle starts where the old one is, and takes the shorter way.
  function show(card) {
    const before = hand();
    place.replaceChildren(card);
    const after = hand();
    if (!before || !after || still.matches) return;
    const way = ((after.turn - before.turn + 540) % 360) - 180;
    after.element.animate([turned(after.turn - way), turned(after.turn)], { duration: 300, easing: "ease-out" });
  }

  function gone() {
    place.replaceChildren();
    main.querySelector("h1").textContent = document.title = "Contact";
    state.textContent = "nobody knows this contact any more";
  }

  async function ask() {
    const answer = await fetch(`${location.pathname}?bare`);
    if (answer.status === 404) return gone();
    if (!answer.ok) throw new Error(answer.statusText);
    show(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("article"));
    state.textContent = `live: ${place.querySelector("svg.gauge > title").textContent}`;
  }

  // One request at a time: what changes meanwhile is asked for afterwards, once.
  async function refresh() {
    again = true;
    if (asking) return;
    asking = true;
    try {
      while (again) {
        again = false;
        await ask();
      }
    } catch {
      lost();
    } finally {
      asking = false;
    }
  }

  function lost() {
    state.textContent = "connection lost, the card may be out of date";
  }

  // Whatever came before the stream was open, for the first time or again, is asked for then.
  function follow() {
    const changes = new EventSource(main.dataset.changes);
    for (const kind of ["open", "score", "reaction", "erased"]) changes.addEventListener(kind, refresh);
    changes.addEventListener("error", () => {
      lost();
      if (changes.readyState === EventSource.CLOSED) setTimeout(follow, 3000); // a proxy that answers for an app
    });
  }
  follow();
})();
