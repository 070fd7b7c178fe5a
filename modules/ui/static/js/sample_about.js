// What is said of a sample: a check that was not made yet is asked for once, a button sends its remedy.
let asked = '';
const look = () => {
  const name = element.querySelector('[data-looking]')?.dataset.looking ?? '';
  if (name && name !== asked) trigger('select', { sample: name });
  asked = name;
};
new MutationObserver(look).observe(element, { childList: true, subtree: true, attributes: true });
element.addEventListener('click', event => {
  const remedy = event.target.closest('[data-remedy]')?.dataset.remedy;
  if (remedy) trigger('select', { remedy });
});
look();
