// One switch between target and match: it shows the picture of one and plays it, from where the other was.
(() => {
  const figures = [...document.querySelectorAll(".ab figure")];
  const buttons = [...document.querySelectorAll(".switch button")];
  const players = figures.map((figure) => figure.querySelector("audio"));
  const show = (chosen) => {
    figures.forEach((figure, place) => { figure.hidden = place !== chosen; });
    buttons.forEach((button, place) => button.setAttribute("aria-pressed", place === chosen));
  };
  buttons.forEach((button, place) => button.addEventListener("click", () => {
    const other = players[1 - place];
    const playing = !other.paused && !other.ended;
    players[place].currentTime = playing ? other.currentTime : 0;
    show(place);
    players[place].play();
  }));
  players.forEach((player, place) => player.addEventListener("play", () => show(place)));
  document.querySelector(".switch").hidden = false;
  document.querySelector(".ab").classList.add("switched");
  show(0);
})();
// Blind test: A and B are drawn anew after every guess; with the share of pure guesses that would do as well.
(() => {
  const panel = document.querySelector(".blind");
  const sounds = ["1", "2"].map((key) => document.querySelector(`audio[data-key="${key}"]`).src);
  const players = [new Audio(), new Audio()];
  const guesses = panel.querySelectorAll("[data-guess]");
  const output = panel.querySelector("output");
  let target = 0, right = 0, all = 0, played = new Set();
  const draw = () => {
    target = Math.random() < 0.5 ? 0 : 1;
    players.forEach((player, place) => { player.pause(); player.src = sounds[place === target ? 0 : 1]; });
    played = new Set();
    guesses.forEach((button) => { button.disabled = true; });
  };
  const luck = () => {
    let sum = 0;
    for (let k = right; k <= all; k += 1) {
      let ways = 1;
      for (let i = 0; i < k; i += 1) ways *= (all - i) / (k - i);
      sum += ways / 2 ** all;
    }
    return Math.round(100 * sum);
  };
  panel.addEventListener("click", (event) => {
    const { play, guess } = event.target.dataset;
    if (play !== undefined) {
      document.querySelectorAll("audio").forEach((player) => player.pause());
      players[1 - play].pause();
      players[play].currentTime = 0;
      players[play].play();
      played.add(play);
      if (played.size === 2) guesses.forEach((button) => { button.disabled = false; });
    }
    if (guess !== undefined) {
      const hit = Number(guess) === target;
      all += 1;
      right += hit ? 1 : 0;
      output.textContent = `${hit ? "Right" : "Wrong"}: ${"AB"[target]} was the target. ${right} of ${all} right; chance does as well ${luck()} % of the time.`;
      draw();
    }
  });
  draw();
})();
