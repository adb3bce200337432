// One player at a time; the digits start the players that carry them.
document.addEventListener("play", (event) => {
  for (const player of document.querySelectorAll("audio")) {
    if (player !== event.target) player.pause();
  }
}, true);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const player = document.querySelector(`audio[data-key="${CSS.escape(event.key)}"]`);
  if (!player) return;
  if (player.paused) { player.currentTime = 0; player.play(); } else { player.pause(); }
});
