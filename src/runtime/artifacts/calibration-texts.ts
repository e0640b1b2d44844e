/**
 * @file Short texts of several kinds, over which the largest activations of a model are measured before it is
 * quantised.
 */

export const calibrationTexts: readonly string[] = [
  "A lighthouse keeper counts the ships that pass at night. Most of them never learn his name, but each one trusts the lamp that he trims.",
  "To boil an egg, bring water to a gentle simmer, lower the egg in with a spoon, and wait six minutes for a soft yolk or ten for a firm one. Cool it under the tap before peeling.",
  "def mean(values):\n    if not values:\n        raise ValueError('mean of no values')\n    return sum(values) / len(values)\n",
  "Question: What is 17 times 24?\nAnswer: 17 times 20 is 340 and 17 times 4 is 68, so the product is 408.",
  "Dear Ms. Okafor,\n\nThank you for your letter of 3 March. The order left our warehouse on Tuesday and should reach you by the end of the week. Please write again if it has not.\n\nKind regards,\nJonas Lind",
  "1. Measure the wall twice.\n2. Mark the height of the shelf with a pencil.\n3. Drill the holes, and put in the plugs.\n4. Screw the brackets on, then lay the board across them.",
  "The treaty of 1648 ended thirty years of war in central Europe. It let each prince settle the religion of his own lands and redrew borders from the Baltic Sea to the Alps.",
  "Once there was a small bear who was afraid of the dark. Every evening he asked the moon to stay, and every morning he thanked her for trying. One night the clouds were thick, and he learned to sing instead.",
  "| city | population | river |\n| --- | --- | --- |\n| Vienna | 2,000,000 | Danube |\n| Lyon | 520,000 | Rhône |\n| Porto | 230,000 | Douro |",
  "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen. Chlorophyll absorbs mostly red and blue light, which is why leaves look green.",
  "I am sorry, but I cannot help with that. If you tell me what you are trying to achieve, I may be able to suggest a safer way.",
  '{"name": "sensor-7", "readings": [21.5, 21.7, 22.0], "unit": "celsius", "ok": true, "note": null}',
  "Why do we dream? Nobody knows for certain. Some think that the brain sorts the memories of the day; others, that it rehearses for dangers that may never come.",
  "Der Zug nach Basel hat heute zwanzig Minuten Verspätung. Bitte achten Sie auf die Anzeige. El próximo tren sale a las ocho. Le dernier bus part à minuit.",
  'She opened the letter, read it twice, and put it back. "Well?" he asked. "They said yes," she answered, and only then began to laugh.',
  "Our team cut the time of the nightly build from 42 minutes to 9 by caching compiled modules, splitting the slowest tests, and deleting two steps that nobody had needed for years.",
];
