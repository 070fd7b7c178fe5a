// The cards of the first steps. What they lead to on this page is opened here: the form for a new
// sample, with the file that was dropped on its card, and the list of recommended engines.
const TRIES = 40;
const EVERY_MS = 100;
let asked = false;

const look = () => {
  const isLooking = element.querySelector('[data-looking]') !== null;
  if (isLooking && !asked) trigger('select', { action: 'look' });
  asked = isLooking;
};
new MutationObserver(look).observe(element, { childList: true, subtree: true });

const soon = (find, then, tries = TRIES) => {
  const found = find();
  if (found && found.offsetParent !== null) then(found);
  else if (tries) setTimeout(() => soon(find, then, tries - 1), EVERY_MS);
};
const open = (id, then = () => {}) => soon(() => document.querySelector(`#${id} > button`), button => {
  if (!button.classList.contains('open')) button.click();
  button.scrollIntoView({ block: 'center', behavior: 'smooth' });
  button.focus({ preventScroll: true });
  then();
});
const addVoice = files => {
  trigger('select', { action: 'own' });
  open('new-sample', () => {
    if (!files || !files.length) return;
    // The upload area is there once the form has opened; it takes what is dropped on it.
    soon(() => document.querySelector('#new-sample input[type=file]')?.closest('button'), area => {
      const dropped = new DataTransfer();
      for (const file of files) dropped.items.add(file);
      area.dispatchEvent(new DragEvent('drop', { dataTransfer: dropped, bubbles: true, cancelable: true }));
    });
  });
};

element.addEventListener('click', event => {
  const button = event.target.closest('[data-action]');
  if (!button) return;
  const action = button.dataset.action;
  if (action === 'own') addVoice(null);
  else if (action === 'get') { trigger('select', { action: 'own' }); open('recommended-engines'); }
  else { if (action === 'hear') button.disabled = true; trigger('select', { action }); }
});
const card = event => event.target.closest?.('.drop');
for (const name of ['dragenter', 'dragover', 'dragleave', 'drop']) {
  element.addEventListener(name, event => {
    const over = card(event);
    if (!over) return;
    event.preventDefault();
    over.classList.toggle('over', name === 'dragenter' || name === 'dragover');
    if (name === 'drop') addVoice(event.dataTransfer.files);
  });
}
look();
