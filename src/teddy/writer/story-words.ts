/** @file Words that stories, letters and diaries choose from. Pure data. */

/** People; none is a bear's name. */
export const people = {
  girl: "Anna Mia Lucy Nora Emma Rosa Lena Clara Alice Maya Eva Ella Hanna Julia Sara Molly Grace Ruth Ines Paula".split(" "),
  boy: "Tom Ben Sam Finn Jack Paul Max Jim Peter Noah Luke Karl Oliver Henry Adam David Simon Mark Nico Erik".split(" "),
} as const;

/** Drawn anew at each use, in a story as in a letter. */
export const freshWords: Readonly<Record<string, readonly string[]>> = {
  place: "the garden,the kitchen,the attic,the park,the old barn,the library,the harbour,the market,the orchard,the playground,the bakery,the river,the meadow,the railway station,the beach,the hill behind the house,the school yard,the museum,the greenhouse,the village pond,the ferry,the fire station,the flower shop,the forest,the bridge,the tower,the skating rink,the campsite,the cinema,the mill".split(","),
  room: "the bedroom,the kitchen,the hall,the nursery,the living room,the attic,the study,the playroom,the stairs,the cellar".split(","),
  weather: "The sun was shining,It was a grey morning,A soft wind blew,It had snowed all night,The first leaves were falling,It was so hot that the birds were silent,Fog lay over the fields,The rain had just stopped,It was a clear and frosty day,Clouds ran across the sky,The whole street smelled of lilac,Thunder rolled far away".split(","),
  time: "One morning,One afternoon,On a Sunday,Late in the evening,Before breakfast,After school,On the last day of the holidays,In the first week of spring,One winter day,At noon,Just after lunch,On the shortest day of the year,When the clock struck four,The day before the fair".split(","),
  food: "toast,pancakes,apple pie,soup,porridge,plum cake,bread rolls,noodles,pears,gingerbread,a boiled egg,blueberry muffins,cheese,carrots,potato soup,rice pudding,strawberries,waffles,cherry cake,roast chestnuts".split(","),
  animal: "a duck,a hedgehog,the neighbour's cat,a robin,an old dog,a goat,a squirrel,a snail,two geese,a pony,a frog,a blackbird,a sleepy owl,a goldfish,a beetle,a swan,a donkey,a field mouse,a fox,a rabbit,a parrot,a ladybird".split(","),
  thing: "a red kite,a tin drum,a wooden boat,a blue umbrella,a paper lantern,a box of crayons,a broken clock,a brass bell,an old map,a pair of boots,a button box,a music box,a jar of marbles,a straw hat,a toy train,a telescope,a wind-up mouse,a puzzle,a bag of buttons,a magnifying glass,a rubber duck,a silver spoon,a garden gnome,a postcard,a violin,a snow globe".split(","),
  elder: "grandmother,grandfather,mother,father,aunt May,uncle Bob,the baker,the librarian,the doll doctor,the neighbour,the toymaker,the teacher".split(","),
  good: "kind,patient,brave,gentle,clever,cheerful,careful,faithful,calm,honest,funny,thoughtful".split(","),
  mood: "happy,proud,sleepy,curious,a little shy,very quiet,excited,content,hungry,wide awake,rather serious,glad".split(","),
  sad: "sad,lonely,worried,cross,frightened,sorry,lost,tired,disappointed,puzzled".split(","),
  colour: "brown,golden,grey,honey-coloured,white,cinnamon,black,reddish,cream-coloured,dark brown".split(","),
  part: "ears,paws,eyes,arms,legs,feet".split(","),
  said: "said,whispered,asked softly,called,murmured,answered,explained,laughed,promised,replied".split(","),
  small: "little,small,tiny,round,old,wobbly,narrow,crooked,shiny,dusty,wooden".split(","),
  sound: "ticking,humming,singing,rustling,dripping,knocking,whistling,creaking,purring,ringing".split(","),
  number: "two,three,four,five,six,seven,eight,nine,ten,eleven,twelve".split(","),
  game: "hide and seek,pirates,shop,school,train,hospital,circus,explorers,marbles,kings and queens,post office,farm".split(","),
  town: "Ashford,Little Marsh,Birkdale,Port Ellen,Greenhill,Mill Bay,Oakham,Sandwick,Thornbury,Westerley,Foxham,Lindow".split(","),
}; // prettier-ignore
