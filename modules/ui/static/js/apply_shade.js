// Stands at the beginning of the page's head, so that the first paint has the chosen shade: Gradio
// would choose one itself and show it until its page is loaded, for seconds.
(() => {
  let chosen = '';
  try { chosen = localStorage.getItem('studio-shade') || ''; } catch (error) { /* storage is off */ }
  if (chosen !== 'dark' && chosen !== 'light') {
    chosen = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  }
  document.documentElement.dataset.shade = chosen;
  // All elements are there now, and Gradio's scripts have not run.
  document.addEventListener('readystatechange', () => {
    document.body.classList.toggle('dark', chosen === 'dark');
    document.querySelector('gradio-app')?.setAttribute('theme_mode', chosen);
  }, { once: true });
})();
