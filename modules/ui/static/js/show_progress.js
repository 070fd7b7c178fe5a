// In a narrow window what Generate starts lies below the fold: it is brought into view once it is
// there. Stands in the head.
(() => {
  const [EVERY_MS, MOST_MS] = [200, 10000];
  const isNarrow = matchMedia('(max-width: 899.98px)');
  window.addEventListener('click', ({ target, isTrusted }) => {
    const view = isTrusted && isNarrow.matches && target.closest?.('button.studio-go')?.closest('[role=tabpanel]');
    if (!view) return;
    const until = Date.now() + MOST_MS;
    const look = () => {
      const job = [...view.querySelectorAll('.studio-job')].find(one => one.offsetParent);
      if (job) job.scrollIntoView({ block: 'center', behavior: 'smooth' });
      else if (Date.now() < until) setTimeout(look, EVERY_MS);
    };
    setTimeout(look, EVERY_MS);
  }, true);
})();
