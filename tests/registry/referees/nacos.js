// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The client that Nacos' own people wrote for Node.js, against the contract servers of its naming and configuration, as
// far as it goes: v1 of both.
'use strict';
const { NacosNamingClient, NacosConfigClient } = require('nacos');
const { check, until, port, send, run } = require('./referee');

const logger = { info() {}, debug() {}, warn() {}, error() {}, log() {} };
const at = `http://127.0.0.1:${port}/nacos/v1`;
const shown = hosts => hosts.map(h => `${h.ip}:${h.port}`).sort().join(' ');

async function naming() {
  const client = new NacosNamingClient({ logger, serverList: `127.0.0.1:${port}`, namespace: 'public' });
  await client.ready();
  check('the server is up', await client.getServerStatus(), 'UP');
  check('nobody is there', shown(await client.getAllInstances('web', undefined, '', false)), '');

  const first = { ip: '10.0.0.1', port: 8080, weight: 2, metadata: { v: '1' } };
  await client.registerInstance('web', first);
  const [seen] = await client.getAllInstances('web', undefined, '', false);
  check('registered with its address', shown([seen]), '10.0.0.1:8080');
  check('with its weight', seen.weight, 2);
  check('with its metadata', seen.metadata.v, '1');
  check('in its cluster', seen.clusterName, 'DEFAULT');
  check('of its service', seen.serviceName, 'DEFAULT_GROUP@@web');
  check('healthy and enabled', [seen.healthy, seen.enabled].join(), 'true,true');
  check('another cluster is empty', shown(await client.getAllInstances('web', undefined, 'OTHER', false)), '');

  let told = '';
  client.subscribe('web', hosts => { told = shown(hosts); });
  await until('a subscriber is told what there is', () => told === '10.0.0.1:8080');
  const second = { ip: '10.0.0.2', port: 8080, enabled: false };
  await client.registerInstance('web', second);
  await until('a subscriber is told of one that comes', () => told === '10.0.0.1:8080 10.0.0.2:8080', 25);
  check('what is not enabled is not chosen', shown(await client.selectInstances('web')), '10.0.0.1:8080');

  // Somebody takes the first out; the next beat says all of it, and puts it back.
  await send('DELETE', `${at}/ns/instance?serviceName=DEFAULT_GROUP@@web&ip=10.0.0.1&port=8080`);
  check('taken out by somebody', shown(await client.getAllInstances('web', undefined, '', false)), '10.0.0.2:8080');
  await until('a beat brings back one that is not known', async () =>
    shown(await client.getAllInstances('web', undefined, '', false)) === '10.0.0.1:8080 10.0.0.2:8080', 12);
  const back = (await client.getAllInstances('web', undefined, '', false)).find(h => h.ip === '10.0.0.1');
  check('as it was before', `${back.weight} ${back.metadata.v} ${back.clusterName}`, '2 1 DEFAULT');

  await client.deregisterInstance('web', first);
  check('one deregistered is gone', shown(await client.getAllInstances('web', undefined, '', false)), '10.0.0.2:8080');
  await until('a subscriber is told of one that goes', () => told === '10.0.0.2:8080', 25);
  await client.deregisterInstance('web', second);
  client.close();
}

async function config() {
  const client = new NacosConfigClient({ serverAddr: `127.0.0.1:${port}`, requestTimeout: 5000 });
  check('no configuration is told as none', await client.getConfig('shop.json', 'G'), null);
  check('a configuration published', await client.publishSingle('shop.json', 'G', '{"limit":1, "a":"+ &%"}'), true);
  check('and read', await client.getConfig('shop.json', 'G'), '{"limit":1, "a":"+ &%"}');
  check('not in another group', await client.getConfig('shop.json', 'H'), null);
  let told = null;
  client.subscribe({ dataId: 'shop.json', group: 'G' }, content => { told = content; });
  await until('a subscriber is told what there is', () => told === '{"limit":1, "a":"+ &%"}');
  await new Promise(done => setTimeout(done, 500));  // its question is being held
  for (let n = 2; n <= 4; ++n) {
    const began = Date.now();
    await client.publishSingle('shop.json', 'G', `{"limit":${n}}`);
    await until(`a subscriber is told of change ${n}`, () => told === `{"limit":${n}}`);
    check('while its question was being held', Date.now() - began < 2000, true);
  }
  check('a configuration removed', await client.remove('shop.json', 'G'), true);
  check('and gone', await client.getConfig('shop.json', 'G'), null);
  client.close();
}

run(() => naming().then(config));
