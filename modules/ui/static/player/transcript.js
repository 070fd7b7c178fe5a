// A transcript: <studio-transcript key="...">. Words play where they are clicked and can be corrected,
// speakers can be named, words are found.
//
// It sends `studio-correct` with `segment`, `word` and `text`, and `studio-name` with `segment`, `name`
// and `everywhere`; the panel around it passes both on to the server. What was typed is shown at once.
import { DrawnElement, ask, button, clock, make } from './elements.js';
import { wordAt } from './words.js';

const UNSURE = 0.5;

class StudioTranscript extends DrawnElement {
  disconnectedCallback() {
    this.opening = null;
    super.disconnectedCallback();
  }

  get key() { return this.getAttribute('key'); }

  async open() {
    const mine = (this.opening = {});
    try {
      const content = await ask('transcript', 'text', { key: this.key });
      if (this.opening === mine) this.draw(content);
    } catch (error) {
      if (this.opening === mine) this.replaceChildren(make('div', 'studio-note', error.message));
    }
  }

  draw({ segments, hasSound, language }) {
    this.segments = segments;
    this.wave = hasSound
      ? make('studio-wave', '', '', { kind: 'transcript', key: this.key, label: translate('Recording') })
      : null;
    this.wave?.addEventListener('studio-time', event => this.heard(event.detail));
    this.body = make('div', 'turns', '', { lang: language || '' });
    this.body.setAttribute('role', 'region');
    this.body.setAttribute('aria-label', translate('Transcript'));
    this.nodes = [];
    this.rows = [];
    segments.forEach((segment, number) => this.body.append(this.drawSegment(segment, number)));
    this.showSpeakers();
    this.current = 0;
    if (this.nodes.length) this.nodes[0].tabIndex = 0;
    else this.body.append(make('div', 'studio-note', translate('There is no speech in this recording.')));
    for (const name of ['click', 'dblclick', 'keydown', 'focusin']) this.body.addEventListener(name, this);
    const marks = translate('Words with a dotted line are those Whisper was unsure of; a solid line marks your corrections.');
    const more = hasSound
      ? translate('Enter plays from a word, F2 or a double click corrects it, arrow keys move.')
      : translate('The recording was not kept with this transcript. Its words can still be corrected.');
    const help = make('div', 'studio-note', `${marks} ${more}`);
    this.replaceChildren(...(this.wave ? [this.wave] : []), this.drawTools(), this.body, help);
  }

  drawTools() {
    const bar = make('div', 'studio-live-bar');
    const find = translate('Search in the transcript');
    this.query = make('input', '', '', { type: 'search', placeholder: find, 'aria-label': find });
    this.found = make('span', 'studio-note', '', { role: 'status' });
    this.query.addEventListener('input', () => this.search());
    this.query.addEventListener('keydown', event => {
      if (event.key === 'Enter') this.showMatch(event.shiftKey ? -1 : 1);
      if (event.key === 'Escape') { this.query.value = ''; this.search(); }
    });
    bar.append(
      this.query, this.found,
      button('‹', () => this.showMatch(-1), { 'aria-label': translate('Previous match') }),
      button('›', () => this.showMatch(1), { 'aria-label': translate('Next match') }),
      button(translate('Correct word'), () => this.edit(this.current), { 'aria-keyshortcuts': 'F2' }),
      button(translate('Name speaker'), () => this.nameSpeaker(this.segmentOf(this.current))),
    );
    return bar;
  }

  drawSegment(segment, number) {
    const turn = make('div', 'turn');
    const about = make('div', 'about');
    const who = button('', () => this.nameSpeaker(number));
    who.classList.add('who');
    about.append(make('span', 'studio-note when', clock(segment.start)), who);
    const text = make('p');
    segment.words.forEach((row, index) => {
      const node = make('span', '', '', { role: 'button', tabindex: '-1', 'data-word': this.nodes.length });
      node.dataset.place = `${number}.${index}`;
      this.nodes.push(node);
      this.rows.push(row);
      text.append(node, /\s$/.test(row[0]) ? ' ' : '');
      row[0] = row[0].trim();
      this.write(node, row);
    });
    turn.append(about, text);
    return turn;
  }

  // [recognized text, start, end, corrected text or null, probability]
  write(node, [text, , , corrected, probability]) {
    const isChanged = corrected !== null && corrected !== undefined;
    node.textContent = isChanged && corrected ? corrected : text;
    node.classList.toggle('corrected', isChanged && corrected !== '');
    node.classList.toggle('removed', corrected === '');
    const isUnsure = !isChanged && probability < UNSURE;
    node.classList.toggle('unsure', isUnsure);
    if (isChanged) node.title = corrected ? translate('Recognized: {text}', { text }) : translate('Taken out');
    else if (isUnsure) {
      const percent = Math.round(100 * probability);
      node.title = translate('Recognized with {percent} % confidence', { percent });
    } else node.removeAttribute('title');
  }

  segmentOf(word) {
    return this.nodes.length ? Number(this.nodes[word].dataset.place.split('.')[0]) : 0;
  }

  showSpeakers() {
    [...this.body.querySelectorAll('.who')].forEach((who, number) => {
      const name = this.segments[number].speaker;
      const before = number ? this.segments[number - 1].speaker : '';
      who.textContent = name;
      who.setAttribute('aria-label', translate('{name}: name this speaker', { name }));
      who.hidden = !name || name === before;
    });
  }

  // Playing.
  heard({ now, playing }) {
    const next = playing ? wordAt(this.rows, now) : -1;
    if (next === this.marked) return;
    this.nodes[this.marked]?.classList.remove('now');
    this.marked = next;
    const node = this.nodes[next];
    if (!node) return;
    node.classList.add('now');
    const [place, own] = [this.body.getBoundingClientRect(), node.getBoundingClientRect()];
    if (own.top < place.top || own.bottom > place.bottom - 30) {
      this.body.scrollTop += own.top - place.top - place.height / 3;
    }
  }

  handleEvent(event) {
    const node = event.target.closest('[data-word]');
    if (!node || event.target.matches('input')) return;
    const word = Number(node.dataset.word);
    if (event.type === 'focusin') this.settle(word);
    else if (event.type === 'click') { this.settle(word); if (event.detail < 2) this.wave?.playFrom(this.rows[word][1]); }
    else if (event.type === 'dblclick') { this.wave?.pause(); this.edit(word); }
    else this.pressed(event, word);
  }

  pressed(event, word) {
    const acts = {
      Enter: () => this.wave?.playFrom(this.rows[word][1]),
      ' ': () => this.wave?.toggle(),
      F2: () => this.edit(word),
      ArrowLeft: () => this.focusWord(word - 1),
      ArrowRight: () => this.focusWord(word + 1),
      ArrowUp: () => this.focusSegment(word, -1),
      ArrowDown: () => this.focusSegment(word, 1),
      Home: () => this.focusWord(0),
      End: () => this.focusWord(this.nodes.length - 1),
    };
    const act = event.ctrlKey || event.metaKey || event.altKey ? null : acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  settle(word) {
    if (word === this.current) return;
    this.nodes[this.current].tabIndex = -1;
    this.current = word;
    this.nodes[word].tabIndex = 0;
  }

  focusWord(word) {
    this.nodes[Math.min(Math.max(word, 0), this.nodes.length - 1)].focus();
  }

  focusSegment(word, by) {
    const wanted = this.segmentOf(word) + by;
    const node = this.nodes.find(one => Number(one.dataset.place.split('.')[0]) === wanted);
    node?.focus();
  }

  // Correcting.
  edit(word) {
    const node = this.nodes[word];
    if (!node || node.querySelector('input')) return;
    this.settle(word);
    const row = this.rows[word];
    const label = translate('Correct “{word}”', { word: row[0] });
    const box = make('input', '', '', { type: 'text', 'aria-label': label });
    box.value = row[3] ?? row[0];
    box.size = Math.max(6, box.value.length + 1);
    node.replaceChildren(box);
    let isDone = false;
    const finish = (keep, next = null) => {
      if (isDone) return;
      isDone = true;
      const text = box.value.trim().replace(/\s+/g, ' ');
      const before = row[3] ?? row[0];
      if (keep && text !== before) {
        row[3] = text === row[0] ? null : text;
        const [segment, index] = node.dataset.place.split('.').map(Number);
        this.tell('studio-correct', { segment, word: index, text });
      }
      this.write(node, row);
      if (next !== null && next >= 0 && next < this.nodes.length) this.edit(next);
      else if (next !== null || document.activeElement === document.body) node.focus();
    };
    box.addEventListener('blur', () => finish(true));
    box.addEventListener('keydown', event => {
      event.stopPropagation();
      if (!['Enter', 'Escape', 'Tab'].includes(event.key)) return;
      event.preventDefault();
      if (event.key === 'Tab') finish(true, word + (event.shiftKey ? -1 : 1));
      else finish(event.key === 'Enter', -1);
    });
    box.focus();
    box.select();
  }

  nameSpeaker(number) {
    const turn = this.body.children[number];
    if (!this.segments[number] || turn.querySelector('.naming')) return;
    const form = make('span', 'naming');
    const known = [...new Set(this.segments.map(segment => segment.speaker).filter(Boolean))];
    const list = make('datalist', '', '', { id: `speakers-${Math.random().toString(36).slice(2)}` });
    list.append(...known.map(name => make('option', '', '', { value: name })));
    const label = translate('Name of the speaker');
    const box = make('input', '', '', { type: 'text', 'aria-label': label, list: list.id });
    box.value = this.segments[number].speaker;
    const close = () => { form.remove(); this.focusSegment(this.nodes.findIndex(one => one.dataset.place === `${number}.0`), 0); };
    const save = everywhere => {
      const name = box.value.trim().replace(/\s+/g, ' ');
      close();
      if (name === this.segments[number].speaker) return;
      this.tell('studio-name', { segment: number, name, everywhere });
      const before = this.segments[number].speaker;
      this.segments.forEach((segment, index) => {
        if (index === number || (everywhere && segment.speaker === before)) segment.speaker = name || segment.label;
      });
      this.showSpeakers();
    };
    box.addEventListener('keydown', event => {
      event.stopPropagation();
      if (event.key === 'Enter') save(true);
      if (event.key === 'Escape') close();
    });
    form.append(
      box, list,
      button(translate('Everywhere'), () => save(true)),
      button(translate('Only here'), () => save(false)),
      button(translate('Cancel'), close),
    );
    turn.querySelector('.about').append(form);
    box.focus();
    box.select();
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, detail: { key: this.key, ...detail } }));
  }

  // Searching: over the words as they are shown, also across several.
  search() {
    this.hits?.flat().forEach(word => this.nodes[word].classList.remove('found', 'found-now'));
    const wanted = this.query.value.trim().toLowerCase().replace(/\s+/g, ' ');
    this.hits = [];
    this.match = -1;
    if (!wanted) { this.found.textContent = ''; return; }
    const starts = [];
    let text = '';
    for (const node of this.nodes) {
      starts.push(text.length);
      text += node.classList.contains('removed') ? '' : `${node.textContent.toLowerCase()} `;
    }
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      const hit = [];
      for (let word = wordAtOffset(starts, at); word < starts.length && starts[word] < at + wanted.length; word++) hit.push(word);
      this.hits.push(hit);
    }
    this.hits.flat().forEach(word => this.nodes[word].classList.add('found'));
    this.showMatch(1);
  }

  showMatch(by) {
    const count = this.hits?.length || 0;
    if (!count) {
      this.found.textContent = this.query.value.trim() ? translate('Nothing found') : '';
      return;
    }
    this.hits[this.match]?.forEach(word => this.nodes[word].classList.remove('found-now'));
    this.match = (this.match + by + count) % count;
    const words = this.hits[this.match];
    words.forEach(word => this.nodes[word].classList.add('found-now'));
    this.settle(words[0]);
    const [place, own] = [this.body.getBoundingClientRect(), this.nodes[words[0]].getBoundingClientRect()];
    if (own.top < place.top || own.bottom > place.bottom) this.body.scrollTop += own.top - place.top - place.height / 3;
    this.found.textContent = translate('{number} of {count}', { number: this.match + 1, count });
  }
}

const wordAtOffset = (starts, offset) => {
  let word = 0;
  while (word + 1 < starts.length && starts[word + 1] <= offset) word += 1;
  return word;
};

customElements.define('studio-transcript', StudioTranscript);
