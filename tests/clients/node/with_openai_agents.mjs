// The Agents SDK for JavaScript.
import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool, user } from "@openai/agents";
import { z } from "zod";
import { DEGREES, SCRIPTED_V1, V1, WEATHER, check, getWeather, liked, limit, run } from "./cells.mjs";

setTracingDisabled(true);
const weather = tool({
  name: "get_weather",
  description: "Get the current weather in a city",
  parameters: z.object({ city: z.string().max(12) }),
  execute: async (input) => getWeather(input),
});
const Person = z.object({ name: z.string().max(12), age: z.int().min(0).max(120) });

const runner = (baseURL, useResponses) =>
  new Runner({
    modelProvider: new OpenAIProvider({ apiKey: "none", baseURL, useResponses }),
    modelSettings: { maxTokens: limit(baseURL), temperature: 0 },
  });
const agent = (more = {}) => new Agent({ name: "Assistant", instructions: "Be brief.", model: "live", ...more });

async function talk(useResponses) {
  const first = await runner(V1, useResponses).run(agent(), "Hello");
  const second = await runner(V1, useResponses).run(agent(), [...first.history, user("Who are you?")]);
  check(second.finalOutput, second);
}

async function stream(useResponses) {
  const opened = await runner(V1, useResponses).run(agent(), "Hello", { stream: true });
  for await (const _ of opened);
  check(opened.finalOutput, opened);
}

// A call, its result, and a turn after them.
async function use(useResponses) {
  const calling = agent({ tools: [weather] });
  const first = await runner(SCRIPTED_V1, useResponses).run(calling, WEATHER);
  check(first.finalOutput.includes(DEGREES), first.finalOutput);
  const second = await runner(SCRIPTED_V1, useResponses).run(calling, [...first.history, user("Thanks")]);
  check(second.finalOutput, second);
}

async function typed(useResponses) {
  const answer = await runner(V1, useResponses).run(agent({ outputType: Person }), "Ann is 31 years old.");
  Person.parse(answer.finalOutput);
}

async function forced() {
  const modelSettings = { toolChoice: "required" };
  const calling = agent({ tools: [weather], modelSettings, toolUseBehavior: "stop_on_first_tool" });
  const answer = await runner(V1, false).run(calling, WEATHER);
  check(answer.finalOutput.includes(DEGREES), answer.finalOutput);
}

async function responses() {
  for (const part of [talk, stream, use, typed]) await part(true);
}

async function good() {
  const first = await runner(V1, false).run(agent(), "Hello");
  const second = await runner(V1, false).run(agent(), [...first.history, user("/good")]);
  liked(second.finalOutput);
}

await run({
  chat: () => talk(false),
  stream: () => stream(false),
  tools: () => use(false),
  forced,
  structured: () => typed(false),
  responses,
  good,
});
