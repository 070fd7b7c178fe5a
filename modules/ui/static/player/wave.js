// The studio's player of recordings: <studio-wave kind="take" key="..."> (see modules/ui/recordings.py).
//
// Attributes: `kind` and `key` name the recording, `label` says what it is. With `edits` a part of it
// can be selected; the element then sends `studio-select` with `start` and `end` in seconds.
// It sends `studio-time` with `now` while the position moves. Space plays, arrow keys move the
// position, + and - zoom, [ and ] move the selection's ends to the position.
import { words as follow } from './words.js';
import { DrawnElement, address, ask, button, clock, decimal, make } from './elements.js';

const STEP_S = 1;
const FINE_S = 0.01;
const COARSE_S = 0.1;
const SHORTEST_S = 0.05;
const ZOOM = 2;
const MOST_PX_PER_S = 1600;
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
// Of the waveform, by shade of the page.
const INK = { light: ['#a8a29e', '#0d9488'], dark: ['#78716c', '#2dd4bf'] };

const isTyping = node => node.matches('input:not([type=checkbox]), textarea, select, [contenteditable=true]');
const isDark = () => document.body.classList.contains('dark');
let drawing = null;
// Loaded with the first player that is shown.
const library = () =>
  (drawing ||= Promise.all([import('./wavesurfer.js'), import('./wavesurfer_regions.js')])
    .then(modules => modules.map(module => module.default)));

class StudioWave extends DrawnElement {
  connectedCallback() {
    this.setAttribute('role', 'group');
    if (!this.hasAttribute('tabindex')) this.tabIndex = 0;
    this.addEventListener('keydown', this);
    window.addEventListener('studio-playing', this);
    window.addEventListener('studio-live', this);
    window.addEventListener('studio-marked', this);
    this.watcher = new MutationObserver(() => this.colour());
    this.watcher.observe(document.body, { attributes: true, attributeFilter: ['class'] });
    super.connectedCallback();
  }

  disconnectedCallback() {
    for (const name of ['studio-playing', 'studio-live', 'studio-marked']) window.removeEventListener(name, this);
    this.watcher.disconnect();
    this.close();
    super.disconnectedCallback();
  }

  get edits() { return this.hasAttribute('edits'); }
  get label() { return this.getAttribute('label') || translate('Recording'); }
  get now() { return this.wave ? this.wave.getCurrentTime() : 0; }
  get isPlaying() { return Boolean(this.wave && this.wave.isPlaying()); }

  close() {
    this.opening = null;
    this.pending = null;
    this.wave?.destroy();
    this.wave = this.region = null;
  }

  async open() {
    this.close();
    const mine = (this.opening = {});
    this.setAttribute('aria-label', this.label);
    const [kind, key] = [this.getAttribute('kind'), this.getAttribute('key')];
    this.build();
    try {
      const [[WaveSurfer, Regions], about] = await Promise.all([library(), ask(kind, 'wave', { key })]);
      if (this.opening !== mine) return;
      this.draw(WaveSurfer, Regions, about, address(kind, 'audio', { key, v: about.version }));
    } catch (error) {
      if (this.opening !== mine) return;
      this.pause();
      this.play.disabled = true;
      this.say(error.message);
    }
  }

  build() {
    this.stage = make('div', 'stage');
    this.bar = make('div', 'studio-live-bar');
    this.times = make('span', 'studio-note times', translate('Loading…'));
    this.play = button(translate('Play'), () => this.toggle(), { 'aria-keyshortcuts': 'Space' });
    this.speed = make('select', 'speed', '', { 'aria-label': translate('Playback speed') });
    for (const rate of SPEEDS) this.speed.add(new Option(`${rate.toLocaleString(window.studioLanguage)}×`, rate, rate === 1, rate === 1));
    this.speed.addEventListener('change', () => this.wave?.setPlaybackRate(Number(this.speed.value)));
    const zoom = make('span', 'pair');
    zoom.append(
      button('−', () => this.zoom(1 / ZOOM), { 'aria-label': translate('Zoom out'), 'aria-keyshortcuts': '-' }),
      button('+', () => this.zoom(ZOOM), { 'aria-label': translate('Zoom in'), 'aria-keyshortcuts': '+' }),
    );
    this.bar.append(this.play, this.times, zoom, this.speed);
    this.tools = make('div', 'studio-live-bar tools');
    this.parts = make('span', 'pair');
    this.parts.hidden = true;
    this.partName = make('span', 'studio-note');
    this.parts.append(
      button('‹', () => this.choosePart(-1), { 'aria-label': translate('Previous part') }),
      this.partName,
      button('›', () => this.choosePart(1), { 'aria-label': translate('Next part') }),
    );
    this.tools.append(
      button(translate('Select all'), () => this.mark(0, this.seconds)),
      button(translate('Split at silence'), () => this.split(), { 'aria-pressed': 'false' }),
      this.parts,
      button(translate('Save selection'), () => this.save()),
    );
    this.tools.hidden = !this.edits;
    this.words = make('div', 'words');
    this.replaceChildren(this.stage, this.bar, this.tools, this.words);
  }

  draw(WaveSurfer, Regions, about, url) {
    this.seconds = about.seconds;
    this.pauses = about.pauses;
    this.regions = Regions.create();
    this.level = 0;
    const audio = new Audio();
    audio.preload = 'none';
    audio.src = url;
    const [waveColor, progressColor] = INK[isDark() ? 'dark' : 'light'];
    this.wave = WaveSurfer.create({
      container: this.stage, media: audio, height: 76, peaks: [about.peaks.map(peak => peak / 1000)],
      duration: about.seconds, waveColor, progressColor, cursorColor: '#dc2626', cursorWidth: 2,
      barWidth: 2, barGap: 1, barRadius: 1, plugins: [this.regions], normalize: false, dragToSeek: !this.edits,
    });
    this.wave.on('timeupdate', () => this.moved());
    this.wave.on('play', () => this.shown(true));
    this.wave.on('pause', () => this.shown(false));
    this.wave.on('error', () => this.say(translate('It cannot be played.')));
    this.follow = follow(this.words, about.words, {
      jump: at => this.playFrom(at),
      select: (from, to) => this.edits && this.mark(from, to),
    });
    this.moved();
    // Only then regions know how long the recording is.
    this.wave.once('ready', () => this.edits && this.select());
    if (this.pending !== null) this.playFrom(this.pending);
  }

  // The selection: one region with two handles, both moved by mouse and keys.
  select() {
    this.regions.enableDragSelection({ color: '#0d948833', drag: false });
    this.regions.on('region-created', region => this.adopt(region));
    this.regions.on('region-update', region => region === this.region && this.showMarked());
    this.regions.on('region-updated', region => region === this.region && this.tell());
    this.regions.addRegion({ start: 0, end: this.seconds, color: '#0d948833', drag: false, minLength: SHORTEST_S });
  }

  adopt(region) {
    const isFirst = !this.region;
    if (region.end - region.start < SHORTEST_S) return region.remove();
    this.region?.remove();
    this.region = region;
    // A new selection may begin inside the old one; its handles stay where they can be taken.
    region.element.style.pointerEvents = 'none';
    for (const [side, name] of [['left', 'start'], ['right', 'end']]) {
      const handle = region.element.querySelector(`[part~=region-handle-${side}]`);
      handle.style.pointerEvents = 'all';
      handle.style.width = '12px';
      handle.style[side === 'left' ? 'borderLeft' : 'borderRight'] = '3px solid #0f766e';
      handle.tabIndex = 0;
      handle.setAttribute('role', 'slider');
      const words = name === 'start' ? translate('Start of the selection') : translate('End of the selection');
      handle.setAttribute('aria-label', words);
      handle.addEventListener('focus', () => { handle.style.outline = '2px solid #0d9488'; });
      handle.addEventListener('blur', () => { handle.style.outline = ''; });
      handle.addEventListener('keydown', event => this.moveHandle(event, name));
      handle.dataset.end = name;
    }
    this.showMarked();
    if (!isFirst) this.tell();
  }

  get marked() { return this.region ? [this.region.start, this.region.end] : [0, this.seconds || 0]; }

  mark(start, end, notify = true) {
    if (!this.region) return;
    const [from, to] = [Math.max(0, Math.min(start, end)), Math.min(this.seconds, Math.max(start, end))];
    if (to - from < SHORTEST_S) return;
    this.region.setOptions({ start: from, end: to });
    this.showMarked();
    if (notify) this.tell();
  }

  moveHandle(event, name) {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const step = by * (event.shiftKey ? COARSE_S : FINE_S);
    const [start, end] = this.marked;
    if (name === 'start') this.mark(Math.min(start + step, end - SHORTEST_S), end);
    else this.mark(start, Math.max(end + step, start + SHORTEST_S));
  }

  tell() {
    const [start, end] = this.marked;
    this.dispatchEvent(new CustomEvent('studio-select', { bubbles: true, detail: { start, end } }));
  }

  showMarked() {
    const [start, end] = this.marked;
    for (const handle of this.region?.element?.querySelectorAll('[role=slider]') || []) {
      const at = handle.dataset.end === 'start' ? start : end;
      handle.setAttribute('aria-valuemin', '0');
      handle.setAttribute('aria-valuemax', this.seconds.toFixed(2));
      handle.setAttribute('aria-valuenow', at.toFixed(2));
      handle.setAttribute('aria-valuetext', translate('{seconds} seconds', { seconds: decimal(at, 2) }));
    }
    this.follow?.keep(start, end);
    this.moved();
  }

  // What lies between two pauses is a part; one after the other can be selected, played and kept.
  split() {
    const toggle = this.tools.children[1];
    const shows = toggle.getAttribute('aria-pressed') !== 'true';
    this.cuts?.forEach(cut => cut.remove());
    this.cuts = [];
    toggle.setAttribute('aria-pressed', String(shows));
    this.parts.hidden = !shows;
    if (!shows) return this.mark(0, this.seconds);
    const middles = this.pauses
      .filter(([from, to]) => from > SHORTEST_S && to < this.seconds - SHORTEST_S)
      .map(([from, to]) => (from + to) / 2);
    const edges = [0, ...middles, this.seconds];
    this.parted = edges.slice(1).map((end, i) => [edges[i], end]);
    this.chosen = -1;
    this.cuts = middles.map(at => this.cutAt(at));
    this.choosePart(1);
  }

  cutAt(at) {
    const line = make('div');
    Object.assign(line.style, {
      position: 'absolute', top: 0, height: '100%', left: `${100 * at / this.seconds}%`,
      borderLeft: '2px dashed #b45309', pointerEvents: 'none', zIndex: 4,
    });
    this.wave.getWrapper().append(line);
    return line;
  }

  choosePart(by) {
    const count = this.parted.length;
    this.chosen = Math.min(Math.max(this.chosen + by, 0), count - 1);
    this.partName.textContent = translate('Part {number} of {count}', { number: this.chosen + 1, count });
    const [start, end] = this.parted[this.chosen];
    this.mark(start, end);
    this.wave.setTime(start);
  }

  save() {
    const [start, end] = this.marked;
    const query = { key: this.getAttribute('key'), start, end };
    const link = make('a', '', '', { href: address(this.getAttribute('kind'), 'part', query), download: '' });
    link.click();
  }

  // Playing.
  toggle() {
    if (this.wave) return this.isPlaying ? this.wave.pause() : this.start();
    return this.pending === null ? this.playFrom(0) : this.pause();
  }

  start() {
    const [from, to] = this.marked;
    const now = this.now;
    const isInside = now >= from && now < to - SHORTEST_S;
    return this.playFrom(isInside ? now : from);
  }

  async playFrom(at) {
    if (!this.wave) return this.playOnceDrawn(at);
    this.pending = null;
    const [from, to] = this.marked;
    this.until = this.edits && at >= from && at < to ? to : null;
    this.wave.setTime(at);
    window.dispatchEvent(new CustomEvent('studio-playing', { detail: this }));
    try {
      await this.wave.play();
    } catch (error) {
      if (error.name !== 'AbortError') this.say(translate('It cannot be played.'));
    }
  }

  // What is asked for while the recording is still loading begins once it is drawn.
  playOnceDrawn(at) {
    if (!this.play || this.play.disabled) return; // it could not be opened
    this.pending = at;
    this.play.textContent = at === null ? translate('Play') : translate('Pause');
  }

  pause() {
    if (this.wave) this.wave.pause();
    else this.playOnceDrawn(null);
  }

  moved() {
    if (!this.wave) return;
    const now = this.now;
    if (this.until && this.isPlaying && now >= this.until) {
      this.wave.pause();
      this.wave.setTime(this.marked[0]);
    }
    const [start, end] = this.marked;
    const ends = { start: decimal(start, 2), end: decimal(end, 2) };
    const marked = this.edits ? translate(' · {start} to {end} s', ends) : '';
    const place = translate('{now} of {length}', { now: clock(now), length: clock(this.seconds) });
    this.times.textContent = place + marked;
    this.follow?.at(this.isPlaying ? now : -1);
    this.dispatchEvent(new CustomEvent('studio-time', { detail: { now, playing: this.isPlaying } }));
  }

  shown(playing) {
    this.play.textContent = playing ? translate('Pause') : translate('Play');
    this.moved();
  }

  zoom(by) {
    if (!this.wave) return;
    const fits = this.stage.clientWidth / this.seconds;
    const wanted = Math.max(this.level || fits, fits) * by;
    this.level = wanted <= fits ? 0 : Math.min(wanted, MOST_PX_PER_S);
    this.wave.zoom(this.level);
  }

  colour() {
    const [waveColor, progressColor] = INK[isDark() ? 'dark' : 'light'];
    this.wave?.setOptions({ waveColor, progressColor });
  }

  say(words) { this.times.textContent = words; }

  handleEvent(event) {
    if (event.type === 'keydown') return this.pressed(event);
    if (event.type === 'studio-marked') return this.offsetParent && this.edits && this.mark(...event.detail, false);
    if (event.detail !== this) this.pause(); // only one plays at a time
  }

  pressed(event) {
    const target = event.composedPath()[0];
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(target)) return;
    const onButton = target.closest('button, [role=button]');
    const [start, end] = this.marked;
    const jumps = {
      ArrowLeft: () => this.wave.setTime(Math.max(0, this.now - STEP_S)),
      ArrowRight: () => this.wave.setTime(Math.min(this.seconds, this.now + STEP_S)),
      Home: () => this.wave.setTime(0),
      End: () => this.wave.setTime(this.seconds),
      '+': () => this.zoom(ZOOM),
      '=': () => this.zoom(ZOOM),
      '-': () => this.zoom(1 / ZOOM),
      '[': () => this.mark(Math.min(this.now, end - SHORTEST_S), end),
      ']': () => this.mark(start, Math.max(this.now, start + SHORTEST_S)),
    };
    const act = event.key === ' ' && !onButton ? () => this.toggle() : this.wave && jumps[event.key];
    if (!act || event.defaultPrevented) return;
    event.preventDefault();
    act();
  }
}
customElements.define('studio-wave', StudioWave);
