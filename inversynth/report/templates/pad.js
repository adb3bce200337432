const {settings, folder} = JSON.parse(document.getElementById("data").textContent);
const {resolution, pitches, length, sample_rate: rate} = settings;
const $ = (id) => document.getElementById(id);
const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const nameOf = (note) => `${NAMES[note % 12]}${Math.floor(note / 12) - 1}`;
const CODES = ["KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ", "KeyK", "KeyO", "KeyL", "KeyP", "Semicolon"];
const LETTERS = [..."AWSEDFTGYHUJKOLP;"];
const VOICES = 32, FADE = 0.05, BLEND = 4000;
const middle = pitches[Math.floor((pitches.length - 1) / 2)];

// --- sounds: a script for each pitch, loaded when it is first played ---
const rows = new Map(), asked = new Map(), shaped = new Map();
function received(pitch, text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  rows.set(pitch, new Int16Array(bytes.buffer));
}
function load(pitch) {
  if (!asked.has(pitch)) asked.set(pitch, new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${folder}/pitch_${pitch}.js`;
    script.onload = () => { script.remove(); resolve(); };
    script.onerror = () => { asked.delete(pitch); reject(new Error(`${folder}/pitch_${pitch}.js is not beside this page`)); };
    document.head.append(script);
  }));
  return asked.get(pitch);
}
const rowOf = (pitch, place) => rows.get(pitch).subarray(place * length, (place + 1) * length);
const nearest = (note) => pitches.reduce((best, pitch) => Math.abs(pitch - note) < Math.abs(best - note) ? pitch : best);

// A row made ready for its loop: to and fro becomes a loop by appending the looped part backwards.
function soundOf(pitch, place) {
  const {how, from, to} = loopNow(), key = [pitch, place, how, from, to].join();
  if (shaped.has(key)) return shaped.get(key);
  const row = Float32Array.from(rowOf(pitch, place), (sample) => sample / 32768);
  let out = row, start = 0, end = 0;
  if (how === "ping-pong") {
    out = new Float32Array(2 * to - from);
    out.set(row.subarray(0, to));
    out.set(row.slice(from, to).reverse(), to);
    [start, end] = [from, out.length];
  } else if (how === "loop") {
    out = row.slice(0, to);
    const blend = Math.min(BLEND, from, to - from);
    for (let i = 0; i < blend; i++) {
      const part = (i + 1) / blend * Math.PI / 2;
      out[to - blend + i] = row[to - blend + i] * Math.cos(part) + row[from - blend + i] * Math.sin(part);
    }
    [start, end] = [from, to];
  }
  const buffer = new AudioBuffer({length: out.length, sampleRate: rate, numberOfChannels: 1});
  buffer.copyToChannel(out, 0);
  const sound = {buffer, start: start / rate, end: end / rate, turn: how === "ping-pong" ? to / rate : 0};
  if (shaped.size >= 64) shaped.delete(shaped.keys().next().value);
  shaped.set(key, sound);
  return sound;
}

// --- voices ---
let context = null, master = null;
const voices = new Map();
const pad = window.pad = {voices, started: 0, at: null, get context() { return context; }};
function wake() {
  if (!context) {
    context = new AudioContext({latencyHint: "interactive"});
    master = new GainNode(context, {gain: gainNow()});
    master.connect(new DynamicsCompressorNode(context, {threshold: -6, knee: 0, ratio: 20, attack: 0.002, release: 0.1})).connect(context.destination);
  }
  if (context.state === "suspended") context.resume();
}
class Voice {
  constructor(note) {
    [this.note, this.pitch] = [note, nearest(note)];
    this.speed = 2 ** ((note - this.pitch) / 12);
    this.out = new GainNode(context, {gain: 0});
    this.out.connect(master);
    this.source = null;
  }
  begin() {
    this.begun = context.currentTime;
    this.play(0, 0);
    this.out.gain.setValueAtTime(0, this.begun);
    this.out.gain.linearRampToValueAtTime(1, this.begun + attackNow());
  }
  // Where in its row a voice is, in seconds of the row, its loop unwound.
  where() {
    const passed = (context.currentTime - this.begun) * this.speed, {start, end} = this.sound;
    return passed < end || !end ? passed : start + (passed - start) % (end - start);
  }
  play(offset, fade) {
    this.sound = soundOf(this.pitch, chosen.place);
    const {buffer, start, end} = this.sound, now = context.currentTime;
    const source = new AudioBufferSourceNode(context, {buffer, playbackRate: this.speed, loop: end > 0, loopStart: start, loopEnd: end});
    const gain = new GainNode(context, {gain: fade ? 0 : 1});
    source.connect(gain).connect(this.out);
    if (fade) gain.gain.setValueAtTime(0, now), gain.gain.linearRampToValueAtTime(1, now + fade);
    source.onended = () => { gain.disconnect(); if (this.source === source) this.end(); };
    source.start(now, Math.min(offset, buffer.duration));
    [this.source, this.gain] = [source, gain];
    pad.started += 1;
  }
  // Another mixture while the note is held: one fades into the other at the same place.
  change() {
    const {source, gain} = this, now = context.currentTime, offset = this.where();
    gain.gain.cancelScheduledValues(now);
    gain.gain.setValueAtTime(gain.gain.value, now);
    gain.gain.linearRampToValueAtTime(0, now + FADE);
    source.stop(now + FADE);
    this.play(offset, FADE);
  }
  release() {
    const now = context.currentTime, time = releaseNow();
    this.out.gain.cancelScheduledValues(now);
    this.out.gain.setValueAtTime(this.out.gain.value, now);
    this.out.gain.linearRampToValueAtTime(0, now + time);
    this.source.stop(now + time + 0.01);
    this.released = true;
  }
  end() {
    this.out.disconnect();
    if (voices.get(this.note) === this) { voices.delete(this.note); show(); }
  }
}
const held = new Set();
let last = null;
async function press(note) {
  if (held.has(note)) return;
  held.add(note);
  last = note;
  wake();
  keyOf(note)?.classList.add("down");
  try {
    await load(nearest(note));
  } catch (fault) {
    $("now").textContent = fault.message;
    return;
  }
  if (!held.has(note)) return;
  voices.get(note)?.release();
  if (voices.size >= VOICES) [...voices.values()].find((voice) => !voice.released)?.release();
  const voice = new Voice(note);
  voices.delete(note);
  voices.set(note, voice);
  voice.begin();
  show();
}
function lift(note) {
  if (!held.delete(note)) return;
  keyOf(note)?.classList.remove("down");
  const voice = voices.get(note);
  if (voice && !voice.released) voice.release();
  show();
}
const liftAll = () => [...held].forEach(lift);

// --- controls ---
const gainNow = () => 10 ** (Number($("volume").value) / 20);
const attackNow = () => Math.max(0.001, 4 * Number($("attack").value) ** 2);
const releaseNow = () => 0.001 + 10 * Number($("release").value) ** 3;
function loopNow() {
  const how = document.querySelector("[name=loop]:checked").value;
  return {how, from: Math.round(Number($("start").value) * length), to: Math.round(Number($("end").value) * length)};
}
const seconds = (value) => value < 1 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(1)} s`;
function tell() {
  const least = 0.02;
  if (Number($("end").value) < Number($("start").value) + least) {
    if (document.activeElement === $("start")) $("end").value = Math.min(1, Number($("start").value) + least);
    $("start").value = Number($("end").value) - least;
    if (Number($("start").value) <= 0) $("end").value = least;
  }
  for (const id of ["start", "end"]) {
    $(id).nextElementSibling.textContent = `${(Number($(id).value) * length / rate).toFixed(2)} s`;
    $(id).disabled = loopNow().how === "none";
  }
  $("attack").nextElementSibling.textContent = seconds(attackNow());
  $("release").nextElementSibling.textContent = seconds(releaseNow());
  $("volume").nextElementSibling.textContent = `${$("volume").value.replace("-", "−")} dB`;
  if (master) master.gain.setTargetAtTime(gainNow(), context.currentTime, 0.01);
  draw();
}
document.querySelector(".controls").addEventListener("input", tell);

// --- the pad ---
const MARGIN = 6;
const along = (part) => MARGIN + part * (100 - 2 * MARGIN);
const svg = $("pad").firstElementChild;
function circle(kind, radius) {
  const made = document.createElementNS(svg.namespaceURI, "circle");
  made.setAttribute("class", kind);
  made.setAttribute("r", radius);
  svg.append(made);
  return made;
}
const put = (mark, x, y) => { mark.setAttribute("cx", along(x)); mark.setAttribute("cy", along(y)); };
function weightsAt(x, y) {
  const near = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([u, v]) => Math.max(0, 1 - Math.hypot(x - u, y - v)));
  const all = near.reduce((sum, one) => sum + one, 0);
  return near.map((one) => one / all);
}
const dots = Array.from({length: resolution ** 2}, (_, place) => {
  const dot = circle("dot-of-grid", resolution > 12 ? 0.9 : 1.6);
  put(dot, place % resolution / (resolution - 1), Math.floor(place / resolution) / (resolution - 1));
  return dot;
});
function paint() {
  const style = getComputedStyle(document.documentElement);
  const hues = [0, 1, 2, 3].map((number) => style.getPropertyValue(`--c${number}`).trim().slice(1).match(/../g).map((part) => parseInt(part, 16)));
  dots.forEach((dot, place) => {
    const weights = weightsAt(place % resolution / (resolution - 1), Math.floor(place / resolution) / (resolution - 1));
    const mixed = [0, 1, 2].map((channel) => Math.round(weights.reduce((sum, weight, number) => sum + weight * hues[number][channel], 0)));
    dot.setAttribute("fill", `rgb(${mixed})`);
  });
}
const ring = circle("ring", 9), near = circle("near", 3.4), hand = circle("hand", 2.1);
const chosen = {x: 0.5, y: 0.5, place: 0};
function choose(x, y) {
  [chosen.x, chosen.y] = [x, y].map((part) => Math.min(1, Math.max(0, part)));
  const [column, row] = [chosen.x, chosen.y].map((part) => Math.round(part * (resolution - 1)));
  const place = row * resolution + column;
  const [u, v] = [column, row].map((step) => step / (resolution - 1));
  put(hand, chosen.x, chosen.y);
  put(near, u, v);
  put(ring, u, v);
  if (pad.at === place) return;
  pad.at = chosen.place = place;
  weightsAt(u, v).forEach((weight, number) => {
    document.querySelectorAll(".parts .bar i")[number].style.width = `${100 * weight}%`;
    document.querySelectorAll(".parts .number")[number].textContent = `${Math.round(100 * weight)} %`;
  });
  for (const voice of voices.values()) if (!voice.released) voice.change();
  draw();
}
// With no note held, the pad itself plays the last one while it is touched.
let touched = null;
function reach(event) {
  const box = $("pad").getBoundingClientRect(), margin = MARGIN / 100;
  const part = (place, from, size) => ((place - from) / size - margin) / (1 - 2 * margin);
  choose(part(event.clientX, box.left, box.width), part(event.clientY, box.top, box.height));
}
$("pad").addEventListener("pointerdown", (event) => {
  $("pad").setPointerCapture(event.pointerId);
  reach(event);
  if (!held.size) press(touched = last ?? middle);
});
$("pad").addEventListener("pointermove", (event) => { if (event.buttons) reach(event); });
for (const kind of ["pointerup", "pointercancel"]) $("pad").addEventListener(kind, () => { if (touched !== null) lift(touched); touched = null; });
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
$("pad").addEventListener("keydown", (event) => {
  const step = 1 / (resolution - 1), way = ARROWS[event.key];
  if (way) {
    event.preventDefault();
    choose(chosen.place % resolution * step + way[0] * step, Math.floor(chosen.place / resolution) * step + way[1] * step);
  } else if (event.key === "Enter" && !event.repeat) press(touched = last ?? middle);
});
$("pad").addEventListener("keyup", (event) => { if (event.key === "Enter" && touched !== null) { lift(touched); touched = null; } });

// --- the keys ---
let base = 12 * Math.floor(middle / 12);
const keyOf = (note) => $("keys").querySelector(`[data-note="${note}"]`);
function lay() {
  const count = 25, keys = $("keys"), white = (note) => ![1, 3, 6, 8, 10].includes(note % 12);
  const notes = Array.from({length: count}, (_, number) => base + number).filter((note) => note < 128);
  const whites = notes.filter(white).length;
  let passed = 0;
  keys.replaceChildren(...notes.map((note) => {
    const key = document.createElement("button"), letter = LETTERS[note - base];
    key.type = "button";
    key.tabIndex = -1;
    key.dataset.note = note;
    key.className = white(note) ? "white" : "black";
    key.classList.toggle("rendered", pitches.includes(note));
    key.classList.toggle("down", held.has(note));
    key.setAttribute("aria-label", nameOf(note));
    if (letter) { const label = document.createElement("b"); label.textContent = letter; key.append(label); }
    if (white(note)) { key.append(document.createTextNode(note % 12 ? "" : nameOf(note))); passed += 1; }
    else { key.style.width = `${62 / whites}%`; key.style.left = `${100 * (passed - 0.31) / whites}%`; }
    return key;
  }));
}
let finger = new Map();
function touchKey(event) {
  const key = document.elementFromPoint(event.clientX, event.clientY)?.closest("#keys button");
  const note = key ? Number(key.dataset.note) : null, before = finger.get(event.pointerId);
  if (note === before) return;
  if (before != null) lift(before);
  finger.set(event.pointerId, note);
  if (note !== null) press(note);
}
$("keys").addEventListener("pointerdown", (event) => {
  event.target.releasePointerCapture?.(event.pointerId);
  event.preventDefault();
  touchKey(event);
});
addEventListener("pointermove", (event) => { if (finger.has(event.pointerId)) touchKey(event); });
for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, (event) => {
  const note = finger.get(event.pointerId);
  finger.delete(event.pointerId);
  if (note != null) lift(note);
});
const pressed = new Map();
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const number = CODES.indexOf(event.code);
  if (number >= 0 && base + number < 128) {
    pressed.set(event.code, base + number);
    press(base + number);
  } else if (event.code === "KeyZ" || event.code === "KeyX") {
    base = Math.min(108, Math.max(0, base + (event.code === "KeyX" ? 12 : -12)));
    lay();
  }
});
addEventListener("keyup", (event) => { if (pressed.has(event.code)) { lift(pressed.get(event.code)); pressed.delete(event.code); } });
addEventListener("blur", () => { pressed.clear(); liftAll(); });

// --- what is shown ---
const newest = () => [...voices.values()].findLast((voice) => !voice.released);
let moving = false;
function move() {
  const voice = newest(), head = $("wave").lastElementChild;
  head.style.visibility = voice ? "visible" : "hidden";
  moving = Boolean(voice);
  if (!voice) return;
  const {turn} = voice.sound, place = voice.where();
  const part = (turn && place > turn ? 2 * turn - place : place) * rate / length;
  head.style.transform = `translateX(${Math.min(1, part) * $("wave").clientWidth}px)`;
  requestAnimationFrame(move);
}
function show() {
  const sounding = [...voices.values()].filter((voice) => !voice.released);
  $("pad").classList.toggle("sounding", sounding.length > 0);
  $("now").replaceChildren();
  if (!sounding.length) { $("now").textContent = "Nothing sounds."; }
  for (const voice of sounding.slice(-3)) {
    const line = document.createElement("div"), name = document.createElement("b");
    name.textContent = nameOf(voice.note);
    line.append(name, voice.note === voice.pitch ? ` (${voice.note}), as it was rendered` : ` (${voice.note}): ${nameOf(voice.pitch)} (${voice.pitch}) at ${voice.speed.toFixed(3)} times its speed`);
    $("now").append(line);
  }
  if (!moving) move();
  if (sounding.length > 3) $("now").lastChild.append(`, and ${sounding.length - 3} more`);
  draw();
}
function draw() {
  const canvas = $("wave").firstElementChild, scale = devicePixelRatio || 1, style = getComputedStyle(document.documentElement);
  const voice = newest(), pitch = voice ? voice.pitch : nearest(last ?? middle);
  const [width, height] = [canvas.width, canvas.height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
  const ink = canvas.getContext("2d"), {how, from, to} = loopNow();
  if (!rows.has(pitch)) return;
  const row = rowOf(pitch, chosen.place), step = length / width, tall = 0.46 * height / (32768 * 10 ** (settings.level_db / 20));
  const [soft, looped] = ["--soft", "--target"].map((colour) => style.getPropertyValue(colour));
  for (let x = 0; x < width; x++) {
    let high = 0, low = 0;
    for (let i = Math.floor(x * step); i < (x + 1) * step && i < length; i++) { high = Math.max(high, row[i]); low = Math.min(low, row[i]); }
    ink.fillStyle = how !== "none" && x * step >= from && x * step < to ? looped : soft;
    ink.fillRect(x, height / 2 - high * tall - scale / 2, 1, (high - low) * tall + scale);
  }
}
paint();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paint(); draw(); });
addEventListener("resize", draw);
lay();
tell();
choose(0.5, 0.5);
load(middle).then(draw, (fault) => { $("now").textContent = fault.message; });
