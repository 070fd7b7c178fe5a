// Shows a button as long as nothing is typed.
text => ({ __type__: 'update', visible: !text.trim() })
