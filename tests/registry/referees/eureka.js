// Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A Eureka client of Node.js, against the contract server.
'use strict';
const { Eureka } = require('eureka-js-client');
const { check, until, port, send, run } = require('./referee');

const logger = { info() {}, debug() {}, warn() {}, error() {} };
const at = `http://127.0.0.1:${port}/eureka/apps`;

function client(id, ip) {
  const c = new Eureka({
    logger,
    instance: {
      instanceId: id, app: 'WEB', hostName: ip, ipAddr: ip, port: { $: 8080, '@enabled': true }, vipAddress: 'web',
      dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
      metadata: { version: id },
    },
    eureka: {
      host: '127.0.0.1', port, servicePath: '/eureka/apps/', heartbeatInterval: 300, registryFetchInterval: 300,
      maxRetries: 0,
    },
  });
  c.registrations = c.beats = 0;
  c.on('registered', () => ++c.registrations);
  c.on('heartbeat', () => ++c.beats);
  c.start_ = () => new Promise((done, failed) => c.start(e => (e ? failed(e) : done())));
  c.stop_ = () => new Promise((done, failed) => c.stop(e => (e ? failed(e) : done())));
  c.sees = () => c.getInstancesByAppId('WEB').map(i => i.instanceId).sort().join(' ');
  return c;
}

async function all() {
  const one = client('a', '10.0.0.1'), two = client('b', '10.0.0.2');
  await one.start_();
  check('registered', one.registrations, 1);
  check('sees itself', one.sees(), 'a');
  const [i] = one.getInstancesByVipAddress('web');
  check('with address, port and metadata', `${i.ipAddr} ${i.port.$} ${i.metadata.version}`, '10.0.0.1 8080 a');
  await until('heartbeats are taken', () => one.beats >= 3);
  check('and only heartbeats', one.registrations, 1);
  await two.start_();
  await until('one that comes is seen', () => one.sees() === 'a b');
  const hash = async () => JSON.parse((await send('GET', at)).body).applications.apps__hashcode;
  check('hashed by status', await hash(), 'UP_2_');

  await send('DELETE', `${at}/WEB/a`);
  await until('one that is not known registers again', () => one.registrations === 2 && two.sees() === 'a b');
  check('a heartbeat of nobody is refused', (await send('PUT', `${at}/WEB/nobody`)).status, 404);

  await send('PUT', `${at}/WEB/b/status?value=OUT_OF_SERVICE`);
  await until('one that is out of service is not seen', () => one.sees() === 'a');
  check('hashed by status', await hash(), 'OUT_OF_SERVICE_1_UP_1_');
  await new Promise((done, failed) => two.register(e => (e ? failed(e) : done())));
  check('registering again does not bring that back', await hash(), 'OUT_OF_SERVICE_1_UP_1_');
  await send('PUT', `${at}/WEB/b/status?value=UP`);
  await until('and is seen again', () => one.sees() === 'a b');

  await two.stop_();
  await until('one that goes is seen to go', () => one.sees() === 'a');
  await one.stop_();
  check('and of an application of nobody nothing is known', (await send('GET', `${at}/WEB`)).status, 404);
}

run(all);
