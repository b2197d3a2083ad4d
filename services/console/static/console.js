// Live parts of the console: pages work without it, they only stand still then.
'use strict';

const times = (root) => {
  for (const time of root.querySelectorAll('time[title]')) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.title = at.toLocaleString(document.documentElement.lang);
  }
};

const replaced = async (element, address) => {
  const answer = await fetch(address, { headers: { accept: 'text/html' }, credentials: 'same-origin' });
  if (answer.redirected || !answer.ok) return false;
  const next = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById(element.id);
  if (!next) return false;
  element.replaceWith(next);
  times(next);
  return true;
};

const board = () => {
  const first = document.getElementById('board');
  if (!first) return;
  let waiting = 0;
  let state = '';
  const show = (now) => {
    state = now || state;
    const light = document.querySelector('#board .live');
    if (!light || !state) return;
    light.className = `live ${state}`;
    light.textContent = state === 'on' ? light.dataset.live : light.dataset.lost;
  };
  const refresh = () => {
    if (waiting) return; // a flood of alerts must not put it off for ever
    waiting = setTimeout(async () => {
      waiting = 0;
      const current = document.getElementById('board');
      await replaced(current, current.dataset.refresh).catch(() => false);
      show();
    }, 700);
  };
  const source = new EventSource(first.dataset.stream);
  source.onopen = () => show('on');
  source.onerror = () => show('off');
  source.addEventListener('away', () => show('off'));
  for (const name of ['alert', 'message', 'reset']) source.addEventListener(name, refresh);
  setInterval(() => { if (!document.hidden) refresh(); }, 60000);
};

const progress = () => {
  const poll = async () => {
    const element = document.getElementById('story-progress');
    if (!element || !element.dataset.poll) return;
    await replaced(element, element.dataset.poll).catch(() => false);
    setTimeout(poll, 900);
  };
  poll();
};

const text = (tag, content, css) => {
  const element = document.createElement(tag);
  element.textContent = content;
  if (css) element.className = css;
  return element;
};

const verdicts = () => {
  const panel = document.getElementById('verdicts');
  if (!panel) return;
  const words = panel.dataset;
  const waiting = panel.querySelector('.waiting');
  const list = panel.querySelector('ol');
  const say = (content) => { waiting.hidden = !content; waiting.querySelector('span').textContent = content; };
  const add = (verdict) => {
    if (/^story(-|$)/.test(verdict.source || '')) return; // our own story is no app of theirs
    const status = ['accepted', 'duplicate', 'rejected'].includes(verdict.status) ? verdict.status : 'rejected';
    const line = document.createElement('li');
    const tones = { accepted: 'green', duplicate: '', rejected: 'red' };
    line.append(text('span', words[status], `tag ${tones[status]}`));
    line.append(text('b', verdict.event || verdict.type || '–'));
    const reason = [verdict.code, verdict.message].filter(Boolean).join(': ');
    if (reason) line.append(text('span', reason, 'soft'));
    const who = verdict.user_id ? `user_id:${verdict.user_id}` : verdict.anonymous_id ? `anonymous_id:${verdict.anonymous_id}` : '';
    if (status !== 'rejected' && who) {
      const link = text('a', words.see);
      link.href = `/customers/${encodeURIComponent(who)}`;
      line.append(link);
    }
    list.prepend(line);
    while (list.children.length > 20) list.lastChild.remove();
    say('');
  };
  const source = new EventSource(words.stream);
  const take = (event) => {
    try {
      const given = JSON.parse(event.data);
      if (event.type === 'accepted' || event.type === 'rejected') given.status = given.status || event.type;
      if (given && (given.status || given.code)) add(given);
    } catch { /* a comment or a greeting */ }
  };
  for (const name of ['message', 'verdict', 'accepted', 'duplicate', 'rejected']) source.addEventListener(name, take);
  source.onopen = () => { if (!list.children.length) say(words.waiting); };
  source.onerror = () => say(words.lost);
  source.addEventListener('away', () => say(words.lost));
};

times(document);
board();
progress();
verdicts();
