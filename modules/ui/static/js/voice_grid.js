// The grid of voices and the sheet of one: searching, filtering and playing happen here, all else
// is sent to the server with the key of the voice.
const VIEW = 'voices';
const LOOK_MS = 3000;
const chosen = { text: '', kind: '' };
const sound = new Audio();
let playing = '';
let waiting = false;
let focus = '';

const find = selector => element.querySelector(selector);
const all = selector => [...element.querySelectorAll(selector)];
const item = () => decodeURIComponent(location.hash.split('/')[2] || '');
const tell = text => { const notice = find('.notice'); if (notice) notice.textContent = text; };
const send = (action, data = {}) => trigger('select', { action, shown: item(), ...data });

const filter = () => {
  const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const card of all('.card')) {
    const isKind = !chosen.kind || card.dataset.kind === chosen.kind
      || (chosen.kind === 'favourite' && card.querySelector('.star').getAttribute('aria-pressed') === 'true');
    card.hidden = !isKind || !words.every(word => card.dataset.words.includes(word));
    if (!card.hidden) shown += 1;
  }
  const none = find('.none');
  if (none) none.hidden = shown > 0;
  for (const button of all('[data-filter]')) button.setAttribute('aria-pressed', String(button.dataset.filter === chosen.kind));
};
const markPlaying = () => {
  for (const button of all('.play')) {
    const isPlaying = playing === addressOf(button);
    button.classList.toggle('playing', isPlaying);
    button.setAttribute('aria-busy', String(isPlaying && waiting));
  }
};
const addressOf = button => {
  const key = encodeURIComponent(button.closest('[data-key]').dataset.key);
  return `voices/${key}/sound?number=${button.dataset.number}`;
};
// Whatever the server has drawn anew gets what was chosen here.
const draw = () => {
  if (chosen.kind && chosen.kind !== 'favourite' && find('.kinds') && !find(`[data-filter="${chosen.kind}"]`)) chosen.kind = '';
  const search = find('[type=search]');
  if (search && search !== document.activeElement && search.value !== chosen.text) search.value = chosen.text;
  filter();
  markPlaying();
  if (focus && element.offsetParent !== null && !element.contains(document.activeElement)) {
    const target = find(focus) || find('.notice button') || find('h2.name');
    if (target) { target.focus(); focus = ''; }
  }
};
new MutationObserver(draw).observe(element, { childList: true, subtree: true });

const stop = () => { sound.pause(); playing = ''; waiting = false; markPlaying(); };
const play = async button => {
  const address = addressOf(button);
  if (playing === address) { stop(); return; }
  playing = address; waiting = true; tell('');
  markPlaying();
  sound.src = address;
  try {
    await sound.play();
    if (playing === address) { waiting = false; markPlaying(); }
  } catch (error) {
    if (playing !== address) return;
    stop();
    if (error.name === 'AbortError') return;
    try { tell((await (await fetch(address)).json()).detail); } catch (unreadable) { tell(translate('This voice cannot be played now.')); }
  }
};
sound.addEventListener('ended', stop);

const rename = button => {
  const holder = button.closest('[data-key]');
  const name = holder.querySelector('.name');
  if (holder.querySelector('.rename')) return;
  const form = document.createElement('form');
  form.className = 'rename';
  const input = document.createElement('input');
  input.value = name.textContent.trim();
  input.setAttribute('aria-label', translate('New name'));
  input.maxLength = 100;
  const save = document.createElement('button');
  save.type = 'submit';
  save.className = 'chip main';
  save.textContent = translate('Save');
  form.append(input, save);
  const close = () => { form.remove(); name.hidden = false; name.focus(); };
  form.addEventListener('submit', event => {
    event.preventDefault();
    focus = `[data-key="${CSS.escape(holder.dataset.key)}"] .name`;
    send('rename', { key: holder.dataset.key, name: input.value });
  });
  form.addEventListener('keydown', event => { if (event.key === 'Escape') { event.stopPropagation(); close(); } });
  name.hidden = true;
  name.after(form);
  input.focus();
  input.select();
};

const closeMenus = except => all('details[open]').forEach(one => { if (one !== except) one.open = false; });
element.addEventListener('click', event => {
  const button = event.target.closest('[data-action], [data-filter]');
  if (!button) return;
  if ('filter' in button.dataset) { chosen.kind = button.dataset.filter; filter(); return; }
  const action = button.dataset.action;
  const key = button.dataset.key || button.closest('[data-key]').dataset.key;
  closeMenus(null);
  if (action === 'play') { play(button); return; }
  if (action === 'rename') { rename(button); return; }
  if (action === 'favourite') {
    const on = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(on));
    filter();
    send('favourite', { key, on });
    return;
  }
  if (action === 'delete') { focus = '.notice button'; stop(); }
  else focus = `[data-key="${CSS.escape(key)}"] [data-action="${action}"]`;
  // The sheet of a voice that is deleted is left.
  if (action === 'delete' && item()) history.replaceState(null, '', `#/${VIEW}`);
  send(action, { key });
});
element.addEventListener('input', event => {
  if (event.target.type !== 'search') return;
  chosen.text = event.target.value;
  filter();
});
element.addEventListener('toggle', event => { if (event.target.open) closeMenus(event.target); }, true);
element.addEventListener('keydown', event => {
  const menu = event.key === 'Escape' && event.target.closest('details[open]');
  if (menu) { menu.open = false; menu.querySelector('summary').focus(); }
});
document.addEventListener('click', event => { if (!event.target.closest?.('.studio-voices details')) closeMenus(null); });

// navigation.js asks for what is shown, except when a sheet is left for the grid.
window.addEventListener('hashchange', () => {
  const view = location.hash.split('/')[1];
  if (view !== VIEW) { stop(); return; }
  if (!item() && find('.sheet')) send('list');
});
// What is prepared or exported in the background changes without a click.
setInterval(() => {
  const isBusy = element.offsetParent === null || find('.rename') || find('details[open]') || all('audio').some(one => !one.paused);
  if (!isBusy && find('[data-pending]')) send('refresh');
}, LOOK_MS);
draw();
