// Plays the speech of a job while it is generated and follows its text; see live_player.py.
// `element`, `props` and `watch` come from gr.HTML; the value is the id of the job to play.
const LEAD_S = 0.15;          // between the first piece and its sound
const MOST_UNPLAYED_S = 600;  // beyond that the server keeps what comes
const SHOWN_AHEAD = 1500;     // characters of the text not yet spoken
const FAR = 400;              // a match further on than this is another word
const MARK_EVERY_MS = 50;
const WAKE_MS = 3000;         // on a busy machine the sound takes a while to resume

const make = (tag, css, text = '') => {
  const made = document.createElement(tag);
  made.className = css;
  made.textContent = text;
  return made;
};
const stage = make('div', 'studio-live');
const bar = stage.appendChild(make('div', 'studio-live-bar'));
const status = bar.appendChild(make('span', 'studio-note'));
const toggle = bar.appendChild(make('button', 'studio-button', translate('Pause')));
const stop = bar.appendChild(make('button', 'studio-button', translate('Stop playing')));
const words = stage.appendChild(make('div', 'studio-live-text'));
stage.setAttribute('role', 'group');
stage.setAttribute('aria-label', translate('Playing while generating'));
status.setAttribute('aria-live', 'polite');
words.tabIndex = 0;

let context = null;
let run = null;
let woken = 0;
const queue = [];

// Until the sound really runs the context still calls itself suspended.
const wake = () => {
  woken = performance.now();
  context.resume();
};

const showState = (state, text) => {
  stage.dataset.state = state;
  status.textContent = text;
  const live = ['waiting', 'playing', 'paused'].includes(state);
  toggle.hidden = stop.hidden = !live;
  toggle.textContent = state === 'paused' ? translate('Continue') : translate('Pause');
  if (!element.contains(stage)) element.append(stage);
};

// A browser lets a page play sound only after a click of the user: here, on any button.
const panel = element.closest('[role=tabpanel]') || document;
const unlock = event => {
  if (!event.target.closest('button') || stage.contains(event.target)) return;
  context = context || new AudioContext({ sampleRate: 24000 });
  if (context.state === 'suspended' && !(run && run.paused)) wake();
};
panel.addEventListener('click', unlock, true);

const samplesOf = base64 => {
  const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true) / 32768);
};

const schedule = (job, piece) => {
  const samples = samplesOf(piece.audio);
  const late = job.next < context.currentTime + 0.02;
  if (late) {
    if (job.started) stage.dataset.gaps = Number(stage.dataset.gaps) + 1;
    job.next = context.currentTime + LEAD_S;
    job.started = true;
  }
  const start = job.next;
  if (samples.length) {
    const buffer = context.createBuffer(1, samples.length, piece.rate);
    buffer.copyToChannel(samples, 0);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    source.onended = () => job.sources.delete(source);
    source.start(start);
    job.sources.add(source);
  }
  job.next = start + samples.length / piece.rate;
  show(job, piece.words, start);
};

// The words that have arrived are in spans; the text after them is plain.
const show = (job, spoken, start) => {
  const fresh = document.createDocumentFragment();
  for (const [text, from, to] of spoken) {
    const at = job.text.indexOf(text, job.cursor);
    if (!text || at < 0 || at > job.cursor + FAR) continue;
    fresh.append(job.text.slice(job.cursor, at));
    const span = fresh.appendChild(make('span', '', text));
    job.words.push({ span, from: start + from, to: start + to });
    job.cursor = at + text.length;
  }
  words.insertBefore(fresh, job.rest);
  job.rest.data = job.text.slice(job.cursor, job.cursor + SHOWN_AHEAD);
};

const mark = job => {
  const now = context.currentTime - (context.outputLatency || 0);
  while (job.marked < job.words.length && job.words[job.marked].from <= now) {
    if (job.marked) job.words[job.marked - 1].span.className = 'said';
    const { span } = job.words[job.marked++];
    span.className = 'now';
    const out = span.offsetTop < words.scrollTop || span.offsetTop > words.scrollTop + words.clientHeight - 40;
    if (out) words.scrollTop = span.offsetTop - words.clientHeight / 3;
  }
  if (job.started && stage.dataset.state === 'waiting') showState('playing', translate('Speaking'));
  const silenced = context.state === 'suspended' && performance.now() - woken > WAKE_MS;
  if (silenced && !job.paused && job.started) pause(job, true);
  if (job.end === 'done' && now >= job.next) finish(job, 'done', translate('Finished.'));
};

const finish = (job, state, text) => {
  if (run !== job) return;
  clearInterval(job.timer);
  job.reading.abort();
  job.sources.forEach(source => source.stop());
  if (state === 'done' && job.words.length) job.words[job.words.length - 1].span.className = 'said';
  run = null;
  showState(state, text);
  if (state === 'stopped') queue.length = 0;
  if (queue.length) playJob(queue.shift());
};

const pause = (job, paused) => {
  job.paused = paused;
  if (paused) context.suspend(); else wake();
  showState(
    paused ? 'paused' : 'playing',
    paused ? translate('Paused; the take is still generated') : translate('Speaking'),
  );
};
toggle.addEventListener('click', () => run && pause(run, !run.paused));
const stopPlaying = () => finish(run, 'stopped', translate('Stopped; the take is still generated.'));
stop.addEventListener('click', () => run && stopPlaying());

const ENDS = {
  cancelled: translate('Cancelled.'),
  failed: translate('The take failed.'),
  'left behind': translate('The text is too long to play while it is generated; the take will have all of it.'),
};
const receive = (job, message) => {
  if (message.text !== undefined) {
    job.text = message.text;
    show(job, [], 0);
  } else if (message.end === undefined) {
    schedule(job, message);
  } else if (message.end === 'done') {
    job.end = 'done';
    if (!job.started) finish(job, 'done', translate('There was nothing to play.'));
  } else {
    finish(job, message.end === 'cancelled' ? 'stopped' : 'failed', ENDS[message.end] || message.end);
    // Nothing was heard: the panel of the job says why, until it is dismissed, and here it would stay.
    if (message.end === 'failed' && !job.started && !run) {
      stage.remove();
      delete stage.dataset.state;
    }
  }
};

const playJob = async id => {
  const job = {
    id, text: '', cursor: 0, words: [], marked: 0, sources: new Set(), next: 0, started: false,
    paused: false, end: '', reading: new AbortController(), rest: document.createTextNode(''),
  };
  run = job;
  context = context || new AudioContext({ sampleRate: 24000 });
  if (context.state === 'suspended') wake();
  words.replaceChildren(job.rest);
  stage.dataset.gaps = 0;
  window.dispatchEvent(new CustomEvent('studio-live', { detail: stage }));
  showState('waiting', translate('Waiting for the first words'));
  job.timer = setInterval(() => mark(job), MARK_EVERY_MS);
  try {
    const answer = await fetch(`live/${encodeURIComponent(id)}`, { signal: job.reading.signal });
    if (!answer.ok) throw new Error(translate('the studio answered {status}', { status: answer.status }));
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let open = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (open + decoder.decode(value, { stream: true })).split('\n');
      open = lines.pop();
      for (const text of lines) if (run === job) receive(job, JSON.parse(text));
      while (run === job && job.next - context.currentTime > MOST_UNPLAYED_S) {
        await new Promise(resolve => setTimeout(resolve, 1000));
      }
    }
    if (!job.end) finish(job, 'failed', translate('The connection was lost; the take may still arrive.'));
  } catch (error) {
    const why = translate('It cannot be played now ({reason}).', { reason: error.message });
    if (run === job) finish(job, 'failed', why);
  }
};

// Only one player of the page plays at a time.
window.addEventListener('studio-live', event => {
  if (event.detail !== stage && run) stopPlaying();
});
watch('value', () => {
  if (stage.dataset.state) element.append(stage);
  const id = props.value;
  if (!id || (run && run.id === id) || queue.includes(id)) return;
  if (run) queue.push(id); else playJob(id);
});
