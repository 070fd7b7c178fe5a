setInterval(() => { if (element.offsetParent !== null) trigger('select', {}); }, PERIOD_MS);
