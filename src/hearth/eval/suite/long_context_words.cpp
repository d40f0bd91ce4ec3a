#include "hearth/eval/suite/long_context_words.h"

namespace hearth::eval::words {
namespace {

constexpr std::string_view rowing_places[] = {"the boathouse", "the slipway", "the upper reach", "the old lock", "the committee room", "the drying racks", "the pontoon", "the weir", "the towpath", "the tea hut", "the far bank", "the chandler's yard"};
constexpr std::string_view rowing_things[] = {"the blue four", "the coxless pair", "the launch", "the spare rigger", "the megaphone", "the tide table", "the trailer", "the signing-out book", "the new blades", "the winch", "the safety line", "the varnish"};
constexpr std::string_view rowing_activities[] = {"the early outing", "the learn-to-row evening", "the head race", "the repair day", "the steering lesson", "the regatta draw", "the ergometer night", "the annual dinner"};
constexpr std::string_view choir_places[] = {"the vestry", "the parish hall", "the gallery", "the bell room", "the school gymnasium", "the cloister", "the green room", "the back pews", "the organ loft", "the market cross", "the side chapel", "the coach park"};
constexpr std::string_view choir_things[] = {"the tuning fork", "the Byrd", "the folders", "the portable stage", "the second altos' part", "the piano stool", "the programme", "the donations tin", "the metronome", "the hymn board", "the recording", "the spare robes"};
constexpr std::string_view choir_activities[] = {"the Thursday rehearsal", "the sectional", "the carol round", "the workshop with the visiting conductor", "the voice test", "the summer tour", "the evensong", "the jumble sale"};
constexpr std::string_view garden_places[] = {"the lower plots", "the water tank", "the compost bays", "the orchard wall", "the tool store", "the gate on the lane", "the glasshouse", "the bean rows", "the wildlife pond", "the turning circle", "the notice board", "the plum walk"};
constexpr std::string_view garden_things[] = {"the rotavator", "the hosepipe", "the seed order", "the rain gauge", "the fruit cage", "the wheelbarrow with the flat tyre", "the pump handle", "the bonfire rota", "the plot map", "the netting", "the cold frame", "the weighing scale"};
constexpr std::string_view garden_activities[] = {"the working Saturday", "the seed swap", "the pruning class", "the pumpkin weigh-in", "the rent evening", "the hedge laying", "the open day", "the manure delivery"};
constexpr std::string_view light_places[] = {"the lamp room", "the keeper's cottage", "the landing stage", "the coal bunker", "the signal mast", "the spiral stair", "the foghorn house", "the seaward wall", "the visitors' room", "the causeway", "the rain cistern", "the north path"};
constexpr std::string_view light_things[] = {"the great lens", "the log of the weather", "the bilge pump", "the brass rail", "the tide bell", "the supply list", "the radio", "the clockwork", "the rope ladder", "the paraffin drum", "the ticket machine", "the scaffolding"};
constexpr std::string_view light_activities[] = {"the supply run", "the open weekend", "the painting of the tower", "the bird count", "the inspection", "the lantern talk", "the school visit", "the wreck anniversary"};

constexpr Setting all_settings[] = {
    {"rowing club", "Notes from the day book of a rowing club. Members write in it when they lock up.", rowing_places, rowing_things, rowing_activities},
    {"village choir", "Notes from the day book of a village choir. Whoever closes the hall writes in it.", choir_places, choir_things, choir_activities},
    {"allotment society", "Notes from the day book of an allotment society. It hangs in the tool store; anybody may write.", garden_places, garden_things, garden_activities},
    {"lighthouse trust", "Notes from the day book of a trust that keeps an old lighthouse. Volunteers write in it before the last boat.", light_places, light_things, light_activities},
};

constexpr std::string_view all_people[] = {"Ines", "Tomas", "Wilma", "Jorun", "Pavel", "Edda", "Marius", "Leonie", "Anselm", "Birte", "Casimir", "Dorit", "Emeric", "Frauke", "Gideon", "Hanne", "Ivo", "Jutta", "Kilian", "Lovisa", "Magnus", "Nadja", "Oskar", "Petra", "Quirin", "Ragna", "Simeon", "Thea", "Ulrik", "Verena", "Willem", "Xenia", "Yorick", "Zita", "Albrecht", "Beata", "Cornelis", "Dagny", "Eskil", "Fenna", "Gustav", "Hedvig", "Isidor", "Johanna", "Klara", "Lorenz", "Mirjam", "Nils", "Odile", "Ruben"};

constexpr std::string_view all_filler[] = {
    "{name} and {other} had words about {thing}, and then had tea.",
    "{weather}, so {activity} was moved to {place}.",
    "Somebody left {thing} at {place} again; {name} took it in.",
    "{name} asks that nobody lean anything against {place} until it is dry.",
    "{number} people came to {activity}, which is more than last time.",
    "We agreed that {thing} stays where it is until {other} has looked at it.",
    "{time} the key was not on its hook and {name} had to climb in by the window.",
    "{name} thinks the noise near {place} is a loose board; {other} thinks it is a bird.",
    "The minutes say that {thing} was lent out {time}, but not to whom.",
    "{other} offered to bring cake to {activity} if {name} does the washing up.",
    "{weather}. Nothing could be done at {place}, and everybody went home early.",
    "{name} has oiled the hinge by {place}; it now squeaks on a lower note.",
    "A cheque for {number} crowns arrived without a letter; {other} is trying to find out from whom.",
    "{name} showed two visitors round and forgot to mention {thing}.",
    "There was a long talk about whether {activity} should begin earlier in winter.",
    "{other} read out the letter about {place}; nobody had anything to add.",
    "{thing} needs a new screw, and {name} has promised to find one of the right length.",
    "{time} a dog got into {place} and ate what was meant for {activity}.",
    "The lamp outside {place} is out; {name} has put it on the list.",
    "{name} came in place of {other}, who had a cold.",
    "I counted the mugs: {number}, of which three have handles.",
    "{weather}; {name} lit the stove and {other} complained of the smoke.",
    "{name} has drawn a plan of {place} to scale, with {thing} in red.",
    "Would whoever borrowed {thing} for {activity} please say so; no questions will be asked.",
    "{other} believes that {name} is too strict about {place}, and says so every week.",
    "The paint for {place} came in the wrong green. We shall get used to it.",
    "{time} {name} found an old photograph of {activity} behind the cupboard.",
    "{name} will not be here for {activity}; {other} has the list.",
    "It was decided by {number} votes to leave {thing} as it is.",
    "{place} floods when the wind is in the east. {name} has moved everything up a shelf.",
    "{other} spent an hour looking for {thing}, which was in the car.",
    "The new people were shy; {name} put them next to {other}, and that helped.",
    "{weather}, and a very good turnout at {activity} all the same.",
    "{name} asks for a vote of thanks to {other} for the sandwiches.",
    "If the bus is late again, {activity} will have to begin without half of us.",
    "{name} has written to the council about {place} for the third time.",
    "{thing} works, after a fashion. {name} says that it must not be hurried.",
    "{time} there was nobody here but {name} and the rain.",
    "We owe {other} for {number} stamps and a ball of string.",
    "{name} told the story of the winter when {place} froze, and it has grown since last year.",
    "The insurance asks whether {thing} is locked up at night. It is now.",
    "{other} swept {place} without being asked, and signed the list twice.",
    "{name} suggests a box for good ideas at {place}; {other} suggests a larger one for excuses.",
    "A teacher asked whether {number} children could watch {activity}. {name} said yes.",
    "{weather}. {name} walked home with {other} and came back for the umbrella.",
    "Please do not move {thing} without telling {name}.",
    "{name} and {other} measured {place} twice and got three results.",
    "{time} {other} locked up and forgot that {name} was still upstairs.",
    "The kettle has been mended by {name}, who does not wish to be thanked.",
    "{activity} is full. {other} keeps a list of those who wait.",
};
constexpr std::string_view all_weathers[] = {"Rain since noon", "Fog until eleven", "A hard frost", "The first warm evening", "Wind from the north", "Thunder far off", "Grey and still", "Bright and cold", "Sleet", "A red sky early on"};
constexpr std::string_view all_times[] = {"On Monday", "Last night", "Before breakfast", "At closing time", "Around four", "Late in the evening", "While we were out", "On the way back", "During the interval", "Just after nine"};

constexpr Pair all_landmarks[] = {
    {"the Charles Bridge", "the Czech Republic"}, {"the Little Mermaid", "Denmark"}, {"the Sagrada Família", "Catalonia"},
    {"the Brandenburg Gate", "Germany"}, {"the Spanish Steps", "Italy"}, {"the Acropolis", "Greece"},
    {"the Atomium", "Belgium"}, {"Arthur's Seat", "Scotland"}, {"the Hagia Sophia", "Turkey"},
    {"the Tower of Belém", "Portugal"}, {"the Vasa Museum", "Sweden"}, {"Bondi Beach", "Australia"},
    {"the Sugarloaf", "Brazil"}, {"the Fisherman's Bastion", "Hungary"}, {"the Rijksmuseum", "the Netherlands"},
    {"the Jet d'Eau", "Switzerland"}, {"Schönbrunn", "Austria"}, {"the Eiffel Tower", "France"},
    {"Wawel Castle", "Poland"}, {"Table Mountain", "South Africa"}, {"the Sphinx", "Egypt"},
    {"the Taj Mahal", "India"}, {"the temple of Senso-ji", "Japan"}, {"the Petronas Towers", "Malaysia"}};
constexpr std::string_view all_landmark_sentences[] = {
    "{name} sent a card: from the new kitchen window one sees {landmark}.",
    "A letter from {name}, who now walks past {landmark} every morning for bread.",
    "{name} has found rooms at last, so near to {landmark} that the visitors keep everybody awake.",
    "{name} rang up; behind the voice one could hear the crowd at {landmark}, which is where the children play after school now.",
};

constexpr Pair all_trades[] = {
    {"{name} came straight from the kiln with glaze under the fingernails.", "a potter"},
    {"{name} had been up all night with a calving that would not come right.", "a vet"},
    {"{name} could only stay an hour: a jury to address at two, wig and gown in the bag.", "a barrister"},
    {"{name} had forty essays on the causes of the Thirty Years' War to mark before Monday.", "a history teacher"},
    {"{name} has re-haired nine bows this week and glued a cracked cello.", "somebody who repairs string instruments"},
    {"{name} ran off in the middle of a sentence when the pager went; the pump was on the road in four minutes.", "a firefighter"},
    {"{name} yawned all evening, with flour to the elbows since two in the morning.", "a baker"},
    {"{name} set two fractures and stitched a chin before breakfast.", "a doctor in an emergency department"},
    {"{name} brought the night mail down through fog at Leipzig and slept for four hours.", "a pilot"},
    {"{name} had the theodolite standing at the bend of the road all week, and the cars slowed down for it.", "a land surveyor"},
    {"{name} found the fuse that hums and rewired a whole staircase.", "an electrician"},
    {"{name} spent the afternoon pulling proofs, and has ink in the beard or the hair, as the case may be.", "a printer"},
    {"{name} was late, having delivered twins at the far end of the valley.", "a midwife"},
    {"{name} closed four parish registers for the restorers and smells of old vellum.", "an archivist"},
    {"{name} shod eleven horses and has a bruise the shape of a hoof.", "a farrier"},
    {"{name} argued about the camber of a truss and the load on its bearings through all of tea.", "an engineer who builds bridges"}};

constexpr Pair all_heirlooms[] = {
    {"spyglass", "telescope"}, {"timepiece on a chain", "pocket watch"}, {"squeezebox", "accordion"},
    {"patchwork quilt", "bed cover"}, {"sextant", "instrument for navigation by the stars"}, {"strongbox", "small safe"},
    {"gramophone", "old record player"}, {"christening gown", "baby's dress"}, {"barometer", "instrument that shows the air pressure"},
    {"chess set", "board game with kings and queens"}};
constexpr std::string_view all_handovers[] = {
    "{from} left the {thing} with {to}, who has the dry attic.",
    "{to} went home with the {thing}, since {from} never liked the look of it.",
    "The {thing} is no longer at {from}'s: {to} won it at cards.",
    "{from} is clearing the house; {to} now looks after the {thing}.",
    "{from} wrapped the {thing} in a blanket and carried it over to {to}.",
    "By the way, {to} got the {thing} from {from} in return for a bicycle.",
};

constexpr Stock all_stocks[] = {
    {"slates", "roof tiles", "in the loft", "right under the roof"},
    {"folding seats", "chairs", "in the cellar", "below ground"},
    {"storm lanterns", "lamps", "on the top shelf", "highest up"},
    {"sleepers", "railway timbers", "behind the privy", "at the back of the old lavatory"},
    {"demijohns", "large glass bottles", "beneath the stairs", "in the cupboard below the steps"},
    {"bunting rolls", "strings of little flags", "inside the piano crate", "in the case meant for an instrument"}};

constexpr Pair all_habits[] = {
    {"{name} paid {number} crowns to the ferryman.", "cross the water"},
    {"{name} got {number} crowns from the smokehouse for eels.", "sell fish"},
    {"{name} put {number} crowns on the grey mare and said no more about it.", "bet on a horse"},
    {"{name} dropped {number} crowns into the box by the font.", "give money to the church"},
    {"{name} had to find {number} crowns because the tooth came out after all.", "pay a dentist"},
    {"{name} gave the farrier's boy {number} crowns to sharpen the shears.", "have a tool ground"}};

}  // namespace

std::span<const Setting> settings() { return all_settings; }
std::span<const std::string_view> people() { return all_people; }
std::span<const std::string_view> filler() { return all_filler; }
std::span<const std::string_view> weathers() { return all_weathers; }
std::span<const std::string_view> times() { return all_times; }
std::span<const Pair> landmarks() { return all_landmarks; }
std::span<const std::string_view> landmark_sentences() { return all_landmark_sentences; }
std::span<const Pair> trades() { return all_trades; }
std::span<const Pair> heirlooms() { return all_heirlooms; }
std::span<const std::string_view> handover_sentences() { return all_handovers; }
std::span<const Stock> stocks() { return all_stocks; }
std::span<const Pair> habits() { return all_habits; }

}  // namespace hearth::eval::words
