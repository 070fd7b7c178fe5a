// Plays a clip, follows its words, and lets a part of it be selected; see clip_editor.py.
// `element`, `props`, `trigger` and `watch` come from gr.HTML; the value describes the clip.
const SVG = 'http://www.w3.org/2000/svg';
const make = (tag, css, text = '') => {
  const made = document.createElement(tag);
  made.className = css;
  made.textContent = text;
  return made;
};
const frame = make('div', 'studio-clip');
const wave = frame.appendChild(make('div', 'wave'));
const drawing = wave.appendChild(document.createElementNS(SVG, 'svg'));
const path = drawing.appendChild(document.createElementNS(SVG, 'path'));
const cut = wave.appendChild(make('div', 'cut'));
const needle = wave.appendChild(make('div', 'needle'));
const bar = frame.appendChild(make('div', 'studio-live-bar'));
const button = bar.appendChild(make('button', 'studio-live-button', 'Play'));
const whole = bar.appendChild(make('button', 'studio-live-button', 'Select all'));
const times = bar.appendChild(make('span', 'studio-note'));
const text = frame.appendChild(make('div', 'words'));
const audio = new Audio();
drawing.setAttribute('preserveAspectRatio', 'none');
wave.setAttribute('role', 'img');
wave.setAttribute('aria-label', 'Waveform; drag to select what to keep');
frame.setAttribute('role', 'group');
frame.setAttribute('aria-label', 'Clip');

let clip = null;
let marked = [0, 0];
let dragFrom = null;
let anchor = null;
let playing = 0;

const share = seconds => `${100 * seconds / clip.seconds}%`;
// What trimming keeps: the words whose middle is inside.
const isKept = ([, start, end]) => (start + end) / 2 >= marked[0] && (start + end) / 2 <= marked[1];

const show = () => {
  cut.style.left = share(marked[0]);
  cut.style.width = share(marked[1] - marked[0]);
  times.textContent = `${marked[0].toFixed(2)} to ${marked[1].toFixed(2)} of ${clip.seconds.toFixed(2)} s`;
  clip.words.forEach((word, i) => text.children[i].classList.toggle('kept', isKept(word)));
};
const mark = (start, end, notify = true) => {
  marked = [Math.max(0, Math.min(start, end)), Math.min(clip.seconds, Math.max(start, end))];
  show();
  if (notify) trigger('select', { start: marked[0], end: marked[1] });
};

const stop = () => {
  audio.pause();
  cancelAnimationFrame(playing);
  button.textContent = 'Play';
  needle.hidden = true;
  for (const word of text.children) word.classList.remove('now');
};
const follow = () => {
  const at = audio.currentTime;
  if (audio.ended || at >= marked[1]) return stop();
  needle.style.left = share(at);
  clip.words.forEach(([, start, end], i) => text.children[i].classList.toggle('now', at >= start && at < end));
  playing = requestAnimationFrame(follow);
};
const play = async () => {
  audio.currentTime = marked[0];
  button.textContent = 'Stop';
  needle.hidden = false;
  try {
    await audio.play();
    follow();
  } catch (error) {
    stop();
    if (error.name !== 'AbortError') times.textContent = 'The clip cannot be played.';
  }
};
button.addEventListener('click', () => (needle.hidden ? play() : stop()));
whole.addEventListener('click', () => mark(0, clip.seconds));

const secondsAt = event => {
  const place = wave.getBoundingClientRect();
  return Math.min(Math.max((event.clientX - place.left) / place.width, 0), 1) * clip.seconds;
};
wave.addEventListener('pointerdown', event => {
  stop();
  dragFrom = secondsAt(event);
  wave.setPointerCapture(event.pointerId);
});
wave.addEventListener('pointermove', event => {
  if (dragFrom !== null) mark(dragFrom, secondsAt(event), false);
});
wave.addEventListener('pointerup', event => {
  const [from, to] = [dragFrom, secondsAt(event)];
  dragFrom = null;
  // A click without dragging selects from there to the end.
  if (Math.abs(to - from) < 0.05) mark(from, clip.seconds);
  else mark(from, to);
});
text.addEventListener('click', event => {
  const number = [...text.children].indexOf(event.target);
  if (number < 0) return;
  if (!event.shiftKey || anchor === null) anchor = number;
  const [first, last] = [Math.min(anchor, number), Math.max(anchor, number)];
  mark(clip.words[first][1], clip.words[last][2]);
});

// The number boxes under the player were changed.
window.addEventListener('studio-marked', event => {
  const [start, end] = event.detail;
  if (clip && start < end) mark(start, end, false);
});
const draw = () => {
  stop();
  clip = props.value ? JSON.parse(props.value) : null;
  frame.remove();
  if (!clip) return;
  audio.src = clip.url;
  const peaks = clip.peaks;
  drawing.setAttribute('viewBox', `0 -1 ${peaks.length} 2`);
  path.setAttribute('d', peaks.map((peak, i) => `M${i + 0.5} ${-peak}V${peak}`).join(''));
  anchor = null;
  text.replaceChildren(...clip.words.map(([word]) => make('button', '', word)));
  mark(0, clip.seconds, false);
  element.append(frame);
};
watch('value', draw);
// In a part of the page that was hidden so far the value is there before the script.
draw();
