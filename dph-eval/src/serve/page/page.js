'use strict';
const $ = id => document.getElementById(id);
const make = (tag, className, text) => Object.assign(document.createElement(tag), { className: className ?? '', textContent: text ?? '' });
const number = value => value === null || value === undefined ? '–' : value.toFixed(3);
const mean = end => end.loglik === null || !end.tokens ? null : end.loglik / end.tokens;
let models = [], running = null;

const say = (text, isError) => { $('status').textContent = text; $('status').classList.toggle('error', !!isError); };

// What a browser says of a service that is gone differs, and explains nothing.
const unanswered = error => { throw error.name === 'AbortError' ? error : new Error('The service does not answer.'); };

// A request to the service. An error has the message of its JSON.
async function ask(path, body, signal) {
  const headers = {};
  if ($('key').value) headers.Authorization = 'Bearer ' + $('key').value;
  if (body) headers['Content-Type'] = 'application/json';
  const response = await fetch(path, { method: body ? 'POST' : 'GET', headers, signal, body: body && JSON.stringify(body) }).catch(unanswered);
  if (response.ok) return response;
  const found = await response.json().catch(() => null);
  const error = new Error(found?.error?.message ?? 'status ' + response.status);
  error.status = response.status;
  throw error;
}

async function loadModels() {
  try {
    models = (await (await ask('/v1/models')).json()).data;
    $('model').replaceChildren(...models.map(model => new Option(model.id, model.id)));
    showModel();
    $('key-field').hidden = true;
    say('');
  } catch (error) {
    if (error.status === 401) $('key-field').hidden = false;
    say(error.message, true);
  }
}

// The heads of the model, and what the service allows.
function showModel() {
  const model = models.find(model => model.id === $('model').value), heads = model?.heads ?? [];
  bound($('n'), model?.max_answers); bound($('tokens'), model?.max_answer_tokens);
  $('head').replaceChildren(...heads.map(head => new Option(head, head)));
  $('head').disabled = heads.length === 0;
}

function bound(slider, most) {
  if (!most) return;
  slider.max = Math.min(slider.max, most); slider.min = Math.min(slider.min, most);
  slider.dispatchEvent(new Event('input'));
}

// The cards of answers, and the range of rewards by which tokens are coloured.
class Cards {
  constructor() { this.all = []; this.low = Infinity; this.high = -Infinity; $('answers').replaceChildren(); }

  card(index) {
    while (this.all.length <= index) {
      const element = make('article'), title = make('h2'), reward = make('b', '', '–'), bar = make('div', 'bar'), fill = make('i');
      const text = make('p', 'text'), note = make('small');
      title.append(make('span', '', 'Answer ' + (this.all.length + 1)), reward);
      bar.append(fill); element.append(title, bar, text, note); $('answers').append(element);
      this.all.push({ element, title, reward, fill, text, note, tokens: [], value: null });
    }
    return this.all[index];
  }

  widen(value) {
    if (value === null || value === undefined) return false;
    const isWider = value < this.low || value > this.high;
    this.low = Math.min(this.low, value); this.high = Math.max(this.high, value);
    return isWider;
  }

  share(value) { return this.high > this.low ? (value - this.low) / (this.high - this.low) : 0.5; }

  paint(token) {
    if (token.reward === undefined) return;
    const share = this.share(token.reward) * 2 - 1;
    token.element.style.background = `rgba(var(--${share < 0 ? 'bad' : 'good'}),${(Math.abs(share) * 0.55).toFixed(3)})`;
  }

  set(card, value) {
    card.value = value; card.reward.textContent = number(value);
    if (value !== null) card.fill.style.width = 4 + 96 * this.share(value) + '%';
  }

  add(index, text, reward, logprob) {
    const card = this.card(index), element = make('span', '', text);
    const token = { element, reward };
    element.title = [reward === undefined ? '' : 'reward so far ' + number(reward), logprob === undefined ? '' : 'log-probability ' + number(logprob)].filter(Boolean).join(', ');
    card.text.append(element); card.tokens.push(token);
    const isWider = this.widen(reward);
    if (reward !== undefined) card.value = reward;
    this.repaint(isWider ? this.all : [card], isWider ? undefined : token);
  }

  repaint(cards, only) {
    for (const card of cards) {
      (only ? [only] : card.tokens).forEach(token => this.paint(token));
      this.set(card, card.value);
    }
  }

  tag(card, name, text) { card.title.insertBefore(make('span', 'tag ' + name, text), card.reward); card.element.classList.add(name); }

  // An answer has ended or was dropped.
  end(end) {
    const card = this.card(end.index), isWider = this.widen(end.reward);
    card.value = end.reward;
    card.note.textContent = `${end.tokens} tokens, ended by ${end.finish_reason}, mean log-probability ${number(mean(end))}`;
    if (end.finish_reason === 'rejected') this.tag(card, 'dropped', 'dropped');
    this.repaint(isWider ? this.all : [card]);
  }

  // Marks what the head and the likelihood choose among the answers that were not dropped.
  judge(ends) {
    const isWhole = end => end && end.finish_reason !== 'rejected';
    const best = value => ends.reduce((best, end, index) => isWhole(end) && value(end) !== null && (best < 0 || value(end) > value(ends[best])) ? index : best, -1);
    const byReward = best(end => end.reward), byLoglik = best(mean);
    if (byReward >= 0) this.tag(this.card(byReward), 'chosen', 'chosen');
    if (byLoglik >= 0) this.tag(this.card(byLoglik), 'likely', 'likelihood’s choice');
  }

  // Removes cards without an answer, as after an error.
  removeEmpty() { for (const card of this.all) if (!card.tokens.length && !card.text.textContent && !card.note.textContent) card.element.remove(); }
}

// The events of a stream.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read().catch(unanswered);
    if (done) return;
    rest += value;
    const parts = rest.split('\n\n');
    rest = parts.pop();
    for (const part of parts) {
      const data = part.split('\n').filter(line => line.startsWith('data: ')).map(line => line.slice(6)).join('\n');
      if (data === '[DONE]') return;
      if (data) yield JSON.parse(data);
    }
  }
}

// Runs an action with the answers of the page, after the last one has been stopped. Only the newest one says how it ends.
async function act(name, run) {
  running?.abort();
  const control = running = new AbortController(), cards = new Cards();
  $('stop').disabled = false; say(name + '…');
  try {
    await run(cards, control.signal);
    if (running === control && $('status').textContent === name + '…') say('');
  } catch (error) {
    if (running !== control) return;
    cards.removeEmpty();
    error.name === 'AbortError' ? say('Stopped.') : say(error.message, true);
  } finally {
    if (running === control) { running = null; $('stop').disabled = true; }
  }
}

function generate() {
  const seed = $('seed').value;
  if (seed && !Number.isSafeInteger(+seed)) return say(`A seed is a whole number from ${Number.MIN_SAFE_INTEGER} to ${Number.MAX_SAFE_INTEGER} here.`, true);
  const n = +$('n').value, drop = +$('drop').value, hasHead = !$('head').disabled, system = $('system').value;
  const body = {
    model: $('model').value, n, stream: true, logprobs: true, temperature: +$('temperature').value, max_completion_tokens: +$('tokens').value,
    messages: [...(system ? [{ role: 'system', content: system }] : []), { role: 'user', content: $('prompt').value }],
  };
  if (seed) body.seed = +seed;
  if (hasHead) Object.assign(body, { head: $('head').value, token_rewards: true });
  if (hasHead && drop) body.reject_every = drop;
  document.querySelector('.legend').hidden = !hasHead;
  return act('Generating', async (cards, signal) => {
    const ends = [];
    for (let index = 0; index < n; index++) cards.card(index);
    for await (const event of events(await ask('/v1/chat/completions', body, signal))) {
      if (event.error) throw new Error(event.error.message);
      for (const choice of event.choices) {
        if (choice.delta.content) cards.add(choice.index, choice.delta.content, choice.token_reward, choice.logprobs?.content[0]?.logprob);
        else if (choice.token_reward !== undefined) { cards.widen(choice.token_reward); cards.set(cards.card(choice.index), choice.token_reward); }
        if (choice.finish_reason) { ends[choice.index] = choice; cards.end(choice); }
      }
      if (event.seed !== undefined) say(`Seed ${event.seed}`);
    }
    cards.judge(ends);
  });
}

function compare() {
  const pasted = [...document.querySelectorAll('#pasted textarea')].map((area, index) => ({ name: `Answer ${index + 1}`, text: area.value }));
  const answers = pasted.filter(answer => answer.text.trim()), texts = answers.map(answer => answer.text);
  if (texts.length === 0) return say('Paste at least one answer.', true);
  const body = { model: $('model').value, head: $('head').value, query: $('question').value, texts, raw_scores: true };
  return act('Comparing', async (cards, signal) => {
    const ranks = await (await ask('/rerank', body, signal)).json();
    ranks.forEach((rank, place) => {
      const card = cards.card(place), answer = answers[rank.index];
      card.title.firstChild.textContent = `${place + 1}. ${answer.name}`;
      card.text.textContent = answer.text;
      cards.widen(rank.score); card.value = rank.score;
    });
    cards.repaint(cards.all);
    if (ranks.length > 1) cards.tag(cards.card(0), 'chosen', 'chosen');
  });
}

function addPasted(text) {
  const row = make('div', 'pasted'), label = make('label', 'wide', 'Answer ' + ($('pasted').children.length + 1) + ' '), area = make('textarea');
  area.rows = 2; area.value = text ?? '';
  label.append(area); row.append(label); $('pasted').append(row);
  return area;
}

function show(tab) {
  for (const other of document.querySelectorAll('[role=tab]')) {
    const isShown = other === tab;
    other.setAttribute('aria-selected', isShown); other.tabIndex = isShown ? 0 : -1;
    $(other.getAttribute('aria-controls')).hidden = !isShown;
  }
  tab.focus();
}

document.querySelectorAll('[role=tab]').forEach((tab, index, tabs) => {
  tab.addEventListener('click', () => show(tab));
  tab.addEventListener('keydown', event => { if (event.key.startsWith('Arrow') && /Left|Right/.test(event.key)) show(tabs[(index + 1) % tabs.length]); });
});
document.querySelectorAll('input[type=range]').forEach(input => {
  const output = document.querySelector(`output[for=${input.id}]`);
  const write = () => { output.textContent = input.id === 'drop' ? (+input.value ? input.value + ' tokens' : 'never') : input.value; };
  input.addEventListener('input', write); write();
});
$('generate').addEventListener('submit', event => { event.preventDefault(); generate(); });
$('compare').addEventListener('submit', event => { event.preventDefault(); compare(); });
$('stop').addEventListener('click', () => running?.abort());
$('add').addEventListener('click', () => addPasted().focus());
$('model').addEventListener('change', showModel);
$('key').addEventListener('change', loadModels);
document.addEventListener('keydown', event => {
  if (event.key === 'Escape') running?.abort();
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) document.querySelector('form:not([hidden])').requestSubmit();
});
addPasted(); addPasted();
loadModels();
