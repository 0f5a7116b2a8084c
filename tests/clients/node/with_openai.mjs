// openai-node.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { DEGREES, SCRIPTED_V1, V1, WEATHER, check, getWeather, liked, run } from "./cells.mjs";

const options = { apiKey: "none", maxRetries: 0, timeout: 300_000 };
const real = new OpenAI({ baseURL: V1, ...options });
const scripted = new OpenAI({ baseURL: SCRIPTED_V1, ...options });
const user = (content) => ({ role: "user", content });
const parameters = { type: "object", properties: { city: { type: "string", maxLength: 12 } }, required: ["city"] };
const description = "Get the current weather in a city";
const tool = { type: "function", function: { name: "get_weather", description, parameters } };
const Person = z.object({ name: z.string().max(12), age: z.int().min(0).max(120) });

async function ask(client, messages, more = {}) {
  const answer = await client.chat.completions.create({ model: "live", messages, max_tokens: 64, ...more });
  return answer.choices[0].message;
}

async function chat() {
  const messages = [{ role: "system", content: "Be brief." }];
  for (const text of ["Hello", "Who are you?", "Thanks"]) {
    messages.push(user(text));
    messages.push(await ask(real, messages, { max_tokens: 16 }));
  }
  check(messages.at(-1).content, messages);
}

// The helper's messages go back as they are, with what they parsed.
async function stream() {
  const messages = [];
  for (const text of ["Hello", "Thanks"]) {
    messages.push(user(text));
    const opened = real.chat.completions.stream({ model: "live", messages, max_tokens: 16 });
    messages.push((await opened.finalChatCompletion()).choices[0].message);
  }
  check(messages.at(-1).content, messages);
}

async function tools() {
  const runnable = { ...tool, function: { ...tool.function, function: getWeather, parse: JSON.parse } };
  for (const streamed of [false, true]) {
    const request = { model: "live", messages: [user(WEATHER)], tools: [runnable], stream: streamed };
    const final = await scripted.chat.completions.runTools(request).finalContent();
    check(final.includes(DEGREES), final);
  }
}

async function forced() {
  for (const choice of ["required", { type: "function", function: { name: "get_weather" } }]) {
    const more = { tools: [tool], tool_choice: choice, temperature: 0 };
    const message = await ask(real, [user(WEATHER)], more);
    check(JSON.parse(message.tool_calls[0].function.arguments).city !== undefined, message);
  }
}

async function structured() {
  const answer = await real.chat.completions.parse({
    model: "live",
    messages: [user("Ann is 31 years old.")],
    response_format: zodResponseFormat(Person, "person"),
    max_tokens: 64,
    temperature: 0,
  });
  Person.parse(answer.choices[0].message.parsed);
}

async function responses() {
  const first = await real.responses.create({ model: "live", input: "Hello", max_output_tokens: 16 });
  check(first.output_text, first);
  const more = { model: "live", input: "And you?", previous_response_id: first.id, max_output_tokens: 16 };
  const final = await real.responses.stream(more).finalResponse();
  check(final.output_text, final);
}

async function good() {
  const messages = [user("Hello")];
  messages.push(await ask(real, messages, { max_tokens: 16 }));
  liked((await ask(real, [...messages, user("/good")])).content);
}

async function errors() {
  check((await real.models.retrieve("live")).id === "live", "live");
  try {
    await ask(real, [user("so ".repeat(9000))]);
  } catch (error) {
    check(error.code === "context_length_exceeded" && error.requestID, error);
    return;
  }
  throw new Error("9,000 words fit");
}

await run({ chat, stream, tools, forced, structured, responses, good, errors });
