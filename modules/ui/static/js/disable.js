() => Array(COUNT).fill({ __type__: 'update', interactive: false })
