"use strict";
const bar = document.getElementById("filter"), cards = [...document.querySelectorAll(".trial")];
const object = document.getElementById("by-object"), outcome = document.getElementById("by-outcome");
const height = document.getElementById("height"), count = document.getElementById("count");

function fill(select, values) {
  for (const value of [...new Set(values)].sort()) select.add(new Option(value, value));
  select.parentElement.hidden = select.options.length < 3;
}
function filter() {
  let left = 0;
  for (const card of cards) {
    const answers = card.dataset.outcomes.split("|");
    const fits = (!object.value || card.dataset.object === object.value) && (!outcome.value || answers.includes(outcome.value));
    card.hidden = !fits;
    left += fits;
  }
  count.textContent = `${left} of ${cards.length} trials`;
}
fill(object, cards.map((card) => card.dataset.object));
fill(outcome, cards.flatMap((card) => card.dataset.outcomes.split("|").filter(Boolean)));
object.onchange = outcome.onchange = filter;
height.oninput = () => document.documentElement.style.setProperty("--tall", `${height.value}px`);
bar.hidden = false;
filter();
