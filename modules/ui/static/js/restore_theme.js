() => {
  const kept = localStorage.getItem('studio-shade');
  if (kept) document.body.classList.toggle('dark', kept === 'dark');
}
