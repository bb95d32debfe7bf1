// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A Spring Cloud Config client of Node.js, against the contract server.
'use strict';
const client = require('cloud-config-client');
const { check, port, send, run } = require('./referee');

const endpoint = `http://127.0.0.1:${port}`;
const load = more => client.load(Object.assign({ endpoint, name: 'shop', auth: { user: 'me', pass: 'pw' } }, more));
const commit = (file, what) => send('PUT', `${endpoint}/${file}`, JSON.stringify(what));
const refusal = more => load(more).then(() => 'none', e => e.message);

async function all() {
  check('nobody is let in without a password', await refusal({ auth: undefined }), 'Invalid response: 401');
  check('no such label is refused', await refusal({ label: 'nowhere' }), 'Invalid response: 404');
  check('no such name is an empty answer', Object.keys((await load({ name: 'nobody' })).properties).length, 0);

  await commit('main/application', { limit: 1, 'only.here': 'x' });
  await commit('main/shop', { limit: 2, 'hosts[0]': 'a', 'hosts[1]': 'b' });
  await commit('main/shop-prod', { limit: 3, where: 'prod' });
  await commit('main/shop-eu', { where: 'eu' });
  const own = await load();
  check('the application goes before what is for all', own.get('limit'), 2);
  check('and what is for all is seen', own.get('only.here'), 'x');
  check('lists are lists', JSON.stringify(own.toObject().hosts), '["a","b"]');
  const both = await load({ profiles: ['prod', 'eu'] });
  check('a profile goes before the application', both.get('limit'), 3);
  check('and the last profile before the first', both.get('where'), 'eu');
  check('profiles are told', both.raw.profiles.join(), 'prod,eu');
  check('and the version', both.raw.version, '6f1c0e8');

  await commit('main/shop-prod', { limit: 4, where: 'prod' });
  check('a change is seen', (await load({ profiles: 'prod' })).get('limit'), 4);
  await commit('dev/shop', { limit: 9 });
  check('another label has its own', (await load({ label: 'dev' })).get('limit'), 9);
}

run(all);
