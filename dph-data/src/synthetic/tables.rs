//! The names and things of the little world.

/// Something that is said of people. In both texts, NAME and VALUE stand for what they say.
pub(super) struct Attribute {
    pub question: &'static str,
    pub sentence: &'static str,
}

pub(super) const ATTRIBUTES: [Attribute; 4] = [
    Attribute { question: "Where does NAME live?", sentence: "NAME lives in VALUE." },
    Attribute { question: "What is the work of NAME?", sentence: "NAME is VALUE." },
    Attribute { question: "What does NAME eat?", sentence: "NAME eats VALUE." },
    Attribute { question: "Which animal does NAME keep?", sentence: "NAME keeps VALUE." },
];

/// One family for each valley.
pub(super) const FAMILIES: [&str; 4] = ["Stone", "Brook", "Wood", "Field"];

pub(super) const FIRST_NAMES: [&str; 30] = [
    "Ada", "Ben", "Cleo", "Dan", "Edda", "Finn", "Gwen", "Hugo", "Ida", "Jon", "Kira", "Leo", "Mira", "Ned",
    "Olga", "Pip", "Quin", "Rosa", "Sam", "Tess", "Ugo", "Vera", "Walt", "Xena", "Yan", "Zoe", "Arlo", "Bea",
    "Carl", "Dora",
];

/// For each attribute and valley (in the order of the families) what there is.
pub(super) const VALUES: [[[&str; 4]; 4]; 4] = [
    [
        ["Cragton", "Highrock", "Granmoor", "Slateby"],
        ["Millford", "Wellbridge", "Troutwick", "Reedham"],
        ["Oakshaw", "Pinehurst", "Fernley", "Mossdale"],
        ["Wheatley", "Barnstead", "Cloverton", "Ryecroft"],
    ],
    [
        ["a miner", "a mason", "a smith", "a climber"],
        ["a fisher", "a ferryman", "a miller", "a diver"],
        ["a hunter", "a carver", "a forester", "an archer"],
        ["a farmer", "a baker", "a shepherd", "a weaver"],
    ],
    [
        ["cheese", "mutton", "barley", "honey"],
        ["trout", "crab", "rice", "cress"],
        ["mushrooms", "venison", "nuts", "berries"],
        ["bread", "beans", "pumpkin", "butter"],
    ],
    [
        ["a goat", "a falcon", "a marmot", "a yak"],
        ["a duck", "an otter", "a heron", "a frog"],
        ["a squirrel", "a badger", "an owl", "a fox"],
        ["a cow", "a horse", "a goose", "a hen"],
    ],
];
