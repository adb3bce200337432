const rows = [...document.querySelectorAll(".row")].map((row) => [...row.querySelectorAll(".sounds button")]);
for (const [place, buttons] of rows.entries()) {
  const play = (number) => {
    const player = buttons[number].nextElementSibling;
    player.currentTime = 0;
    player.play();
    return player;
  };
  buttons.forEach((button, number) => {
    const player = button.nextElementSibling;
    button.addEventListener("click", () => { player.onended = null; play(number); });
    player.addEventListener("play", () => button.setAttribute("aria-pressed", true));
    for (const name of ["pause", "ended"]) player.addEventListener(name, () => button.setAttribute("aria-pressed", false));
    button.addEventListener("keydown", (event) => {
      const [down, right] = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key] ?? [];
      const next = rows[place + down]?.[number + right];
      if (next) { event.preventDefault(); next.focus(); next.click(); }
    });
  });
  const playFrom = (number) => {
    play(number).onended = () => { if (number + 1 < buttons.length) playFrom(number + 1); };
  };
  document.querySelectorAll(".row")[place].querySelector(".all")?.addEventListener("click", () => {
    buttons.forEach((button) => { button.nextElementSibling.onended = null; });
    playFrom(0);
  });
}
