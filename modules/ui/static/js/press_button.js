// Says which button was pressed; one that opens a question only shows it, until it is answered.
const ask = isOpen => {
  const opener = element.querySelector('[data-opens]');
  const question = element.querySelector('.studio-question');
  if (!question) return;
  opener.hidden = isOpen;
  question.hidden = !isOpen;
  (isOpen ? question.querySelector('[data-closes]') : opener).focus();
};
element.addEventListener('click', event => {
  const button = event.target.closest('button');
  // The second click of a double click asks for nothing more.
  if (!button || event.detail > 1) return;
  ask('opens' in button.dataset);
  if (button.dataset.id) trigger('select', { id: button.dataset.id });
});
