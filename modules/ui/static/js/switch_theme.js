() => {
  const dark = document.body.classList.toggle('dark');
  document.documentElement.dataset.shade = dark ? 'dark' : 'light';
  try { localStorage.setItem('studio-shade', dark ? 'dark' : 'light'); } catch (error) { /* until a reload */ }
}
