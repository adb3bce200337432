for (const control of document.querySelectorAll(".control")) {
  const slider = control.querySelector("input"), shown = control.querySelector("output");
  const buttons = [...control.querySelectorAll(".positions button")];
  const play = (number) => {
    buttons.forEach((button, place) => button.setAttribute("aria-pressed", place === number));
    slider.value = number + 1;
    shown.textContent = `${buttons[number].dataset.slider} %`;
    const player = buttons[number].nextElementSibling;
    player.currentTime = 0;
    player.play();
  };
  slider.addEventListener("input", () => play(slider.value - 1));
  buttons.forEach((button, place) => button.addEventListener("click", () => play(place)));
}
